// Measures what a resolution moves: on a dry run, and again when it is carried out.
import { movesMoney, type InterventionAction } from '../../domain/interventions/reasons';
import type { Fen } from '../../domain/money';
import type { Scope } from '../core/scope';
import { refused, type Outcome, type ResolutionScope } from './resolution-scope';
import { carryOut } from './carry-out';

export interface Measured {
  readonly outcome: Outcome;
  /**
   * How much more refunds and receivers hold of the number's payments than before, in fen; below 0
   * where it frees money.
   */
  readonly movedFen: number;
}

/**
 * Carries out a resolution and rolls it back, so that the operator learns at once that it is not
 * possible, and so that the limit for one key counts what it would move now.
 */
export async function tryOut(resolution: ResolutionScope): Promise<Measured> {
  const { scope } = resolution;
  await scope.tx.$executeRaw`SAVEPOINT try_out`;
  const trial: Scope = { ...scope, refunds: new Set(), sharings: new Set() };
  const measured = await carryOutMeasured({ ...resolution, scope: trial });
  await scope.tx.$executeRaw`ROLLBACK TO SAVEPOINT try_out`;
  return measured;
}

/**
 * The most that a resolution may move: the amount of its intervention, or what it would move now
 * where that is more, since money that was held then may be free by now.
 * @param openedFen amount of the intervention; null when it is unknown
 * @param movedFen what the dry run moved
 * @returns fen; for an action that moves no money by itself, what the dry run moved
 */
export function mayMoveFen(
  openedFen: Fen | null,
  action: InterventionAction,
  movedFen: number,
): number | null {
  if (!movesMoney(action)) return movedFen;
  return openedFen === null ? null : Math.max(openedFen, movedFen);
}

/**
 * Carries out a resolution, but refuses it when it moves more than was approved.
 * @param approvedFen fen, below 0 where it frees money; null when two keys approved any amount
 */
export async function carryOutUpTo(
  resolution: ResolutionScope,
  approvedFen: number | null,
): Promise<Outcome> {
  if (approvedFen === null) return carryOut(resolution);
  const { outcome, movedFen } = await carryOutMeasured(resolution);
  if (outcome.kind === 'refused' || movedFen <= approvedFen) return outcome;
  return refused(
    'AMOUNT_CHANGED',
    `This would move ${movedFen} fen now, but ${approvedFen} fen were approved: resolve it again`,
  );
}

async function carryOutMeasured(resolution: ResolutionScope): Promise<Measured> {
  const beforeFen = await takenFen(resolution.scope);
  const outcome = await carryOut(resolution);
  return { outcome, movedFen: (await takenFen(resolution.scope)) - beforeFen };
}

/** The fen that refunds and receivers hold of the payments of a number. */
async function takenFen({ tx, outTradeNo }: Scope): Promise<number> {
  const { _sum } = await tx.paymentTransaction.aggregate({
    where: { outTradeNo },
    _sum: { heldFen: true, sharedFen: true },
  });
  return (_sum.heldFen ?? 0) + (_sum.sharedFen ?? 0);
}
