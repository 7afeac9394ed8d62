// Measures what a resolution moves, and whether one person may resolve it alone.
import type { InterventionAction } from '../../domain/interventions/reasons';
import { isFen } from '../../domain/money';
import { isAboutMoney, measureOf } from '../../domain/proposals/who-decides';
import type { Actor, DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';
import { moveAlone } from '../proposals/movements';
import { moneyLimits } from '../settings/runtime-settings';
import { carryOut } from './carry-out';
import { disputedPayment } from './payment-actions';
import { refused, type Outcome, type ResolutionScope } from './resolution-scope';

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
 * The amount by which a resolution counts: the measure of its reason and action says which one.
 * @param movedFen what the dry run moved
 * @returns fen, below 0 where money becomes free; null when it is unknown
 */
export async function measuredFen(
  resolution: ResolutionScope,
  movedFen: number,
): Promise<number | null> {
  const { intervention, action, scope } = resolution;
  const openedFen = intervention.amountFen ?? fenInEvidence(intervention.evidence);
  switch (measureOf(intervention.reason, action)) {
    case 'moved':
      return movedFen;
    case 'own':
    case 'typed':
      // Without any amount, nobody knows what follows from sending it again.
      return openedFen === null && movedFen === 0 ? null : Math.max(openedFen ?? 0, movedFen);
    case 'unexplained':
    case 'payment': {
      if (!isAboutMoney(intervention.reason, intervention.subject)) return movedFen;
      const payment = await disputedPayment(resolution);
      const orderFen = scope.order?.totalFen ?? null;
      // An invariant is about the rows of an order; any other payment may be of any amount.
      const otherwise = intervention.reason === 'invariant' ? orderFen : null;
      const paymentFen = payment?.totalFen ?? openedFen ?? otherwise;
      if (paymentFen === null) return null;
      return Math.max(paymentFen, openedFen ?? 0, orderFen ?? 0, movedFen);
    }
  }
}

/** True when one person may resolve it alone; if so, it counts for that person's day. */
export async function mayResolveAlone(
  context: DatabaseContext,
  scope: Scope,
  resolution: {
    readonly id: string;
    readonly outTradeNo: string;
    readonly reason: string;
    readonly action: InterventionAction;
    readonly measuredFen: number | null;
    readonly actor: Actor;
  },
): Promise<boolean> {
  const { id, outTradeNo, reason, measuredFen: amountFen, actor } = resolution;
  const alwaysTwo = measureOf(reason, resolution.action) === 'typed';
  const movement = { id, amountFen, action: 'resolution', subject: outTradeNo, alwaysTwo };
  const limits = await moneyLimits(context, scope.tx);
  return (await moveAlone(scope, actor, movement, limits)).kind === 'alone';
}

/** The amount that the evidence names: interventions of 0.1.0 have none of their own. */
function fenInEvidence(evidence: unknown): number | null {
  const { amount, refund } = (evidence ?? {}) as {
    readonly amount?: { readonly refund?: unknown; readonly total?: unknown } | null;
    readonly refund?: unknown;
  };
  const known = [amount?.refund, refund, amount?.total].filter(isFen);
  return known[0] ?? null;
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
