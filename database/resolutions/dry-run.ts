import { movesMoney, type InterventionAction } from '../../domain/interventions/reasons';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';
import { refused, type OpenIntervention, type Outcome, type Params } from './resolution-scope';
import { carryOut } from './carry-out';

export interface DryRun {
  readonly outcome: Outcome;
  /** What it took of the payments of the number, in fen. */
  readonly movedFen: number;
}

/**
 * Carries out an answer under a savepoint and takes that back: what can't be done is said at once, and what it
 * would move now may be more than when the question was asked.
 */
export async function tryOut(
  context: DatabaseContext,
  scope: Scope,
  question: OpenIntervention,
  action: InterventionAction,
  params: Params,
): Promise<DryRun> {
  await scope.tx.$executeRaw`SAVEPOINT try_out`;
  const trial: Scope = { ...scope, refunds: new Set(), sharings: new Set() };
  const measured = await carryOutMeasured(context, trial, question, action, params);
  await scope.tx.$executeRaw`ROLLBACK TO SAVEPOINT try_out`;
  return measured;
}

/**
 * What an answer may move: what it is about, or what it would take now where that is more, since money that was
 * held when it was asked may be free by now. An action that is not about money moves what it would take.
 */
export function mayMoveFen(
  askedFen: number | null,
  action: InterventionAction,
  movedFen: number,
): number | null {
  if (!movesMoney(action)) return movedFen;
  return askedFen === null ? null : Math.max(askedFen, movedFen);
}

/** Carries out an answer that one key approved for so much, in fen: not for more. null: for whatever it moves. */
export async function carryOutUpTo(
  context: DatabaseContext,
  scope: Scope,
  question: OpenIntervention,
  action: InterventionAction,
  params: Params,
  approvedFen: number | null,
): Promise<Outcome> {
  if (approvedFen === null) return carryOut(context, scope, question, action, params);
  const { outcome, movedFen } = await carryOutMeasured(context, scope, question, action, params);
  if (outcome.kind === 'refused' || movedFen <= approvedFen) return outcome;
  return refused(
    'AMOUNT_CHANGED',
    `It would move ${movedFen} fen, and ${approvedFen} were approved`,
  );
}

async function carryOutMeasured(
  context: DatabaseContext,
  scope: Scope,
  question: OpenIntervention,
  action: InterventionAction,
  params: Params,
): Promise<DryRun> {
  const beforeFen = await takenFen(scope);
  const outcome = await carryOut(context, scope, question, action, params);
  return { outcome, movedFen: (await takenFen(scope)) - beforeFen };
}

/** What refunds and receivers hold of the payments of a number. */
async function takenFen({ tx, outTradeNo }: Scope): Promise<number> {
  const { _sum } = await tx.paymentTransaction.aggregate({
    where: { outTradeNo },
    _sum: { heldFen: true, sharedFen: true },
  });
  return (_sum.heldFen ?? 0) + (_sum.sharedFen ?? 0);
}
