// Carries out the approved resolutions of a number, each with its intervention in one transaction.
import { isInterventionAction } from '../../domain/interventions/reasons';
import type { Fen } from '../../domain/money';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';
import { forgetMovement } from '../proposals/movements';
import type { Outcome, Params } from './resolution-scope';
import { refuseUnreadable } from './carry-out';
import { carryOutUpTo } from './dry-run';

/** Resolutions that one transaction carries out; the run calls again while some are left. */
const BATCH = 20;

interface ApprovedRow {
  readonly id: string;
  readonly action: string;
  readonly paramsEncrypted: string | null;
  /** The fen that one key approved; null when two keys did, or where the amount was unknown. */
  readonly approvedFen: number | null;
  readonly interventionId: string;
  readonly reason: string;
  readonly subject: string;
  /** Of the intervention. */
  readonly status: string;
  readonly amountFen: Fen | null;
  readonly evidence: unknown;
}

/**
 * Carries out the approved resolutions of a number in the order they were submitted. Each resolves
 * its intervention in the same transaction, or is refused and leaves it open.
 * @returns true when there may be more
 */
export async function carryOutApproved(context: DatabaseContext, scope: Scope): Promise<boolean> {
  const { tx, outTradeNo } = scope;
  const rows = await tx.$queryRaw<ApprovedRow[]>`
    SELECT r.id::text, r.action, r.params_encrypted AS "paramsEncrypted",
      r.approved_fen AS "approvedFen", i.id::text AS "interventionId", i.reason, i.subject,
      i.status, i.amount_fen AS "amountFen", i.evidence
    FROM intervention_resolutions r JOIN interventions i ON i.id = r.intervention_id
    WHERE r.out_trade_no = ${outTradeNo} AND r.status = 'approved'
    ORDER BY r.id LIMIT ${BATCH} FOR NO KEY UPDATE OF r`;
  for (const row of rows) await carryOutRow(context, scope, row);
  return rows.length === BATCH;
}

async function carryOutRow(
  context: DatabaseContext,
  scope: Scope,
  row: ApprovedRow,
): Promise<void> {
  const { tx, now } = scope;
  const { action, interventionId, reason, subject, amountFen, evidence } = row;
  if (row.status !== 'open' || !isInterventionAction(action)) {
    const detail = 'The intervention ended before this resolution was carried out: nothing to do';
    await finish(scope, row.id, { kind: 'refused', code: 'MOOT', detail });
    return;
  }
  await tx.$executeRaw`SAVEPOINT resolution`;
  const trial: Scope = { ...scope, refunds: new Set(), sharings: new Set() };
  const intervention = { id: interventionId, reason, subject, amountFen, evidence };
  const outcome = await refuseUnreadable(context, () => {
    const params = paramsOf(context, row);
    const resolution = { context, scope: trial, intervention, action, params };
    return carryOutUpTo(resolution, row.approvedFen);
  });
  if (outcome.kind === 'refused') {
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT resolution`;
  } else {
    for (const no of trial.refunds) scope.refunds.add(no);
    for (const no of trial.sharings) scope.sharings.add(no);
    scope.decideAgain ||= trial.decideAgain;
    await tx.intervention.updateMany({
      where: { id: interventionId, status: 'open' },
      data: { status: 'resolved', resolvedAt: now, resolution: action },
    });
  }
  scope.changed = true;
  await finish(scope, row.id, outcome);
}

/** @throws UnreadableValueError when they can't be decrypted */
function paramsOf({ cipher }: DatabaseContext, row: ApprovedRow): Params {
  if (row.paramsEncrypted === null) return {};
  const place = { table: 'intervention_resolutions', column: 'params', row: row.id };
  return JSON.parse(cipher.decrypt(place, row.paramsEncrypted)) as Params;
}

async function finish({ tx, now }: Scope, id: string, outcome: Outcome): Promise<void> {
  const isDone = outcome.kind === 'done';
  if (!isDone) await forgetMovement({ tx }, id);
  await tx.interventionResolution.updateMany({
    where: { id, status: 'approved' },
    data: {
      status: isDone ? 'done' : 'refused',
      finishedAt: now,
      nextAttemptAt: null,
      ...(isDone ? {} : { refusalCode: outcome.code, refusalDetail: outcome.detail }),
    },
  });
}
