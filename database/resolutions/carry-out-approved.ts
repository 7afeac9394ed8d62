import { isInterventionAction } from '../../domain/interventions/reasons';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';
import type { OpenIntervention, Outcome, Params } from './resolution-scope';
import { carryOutUpTo } from './dry-run';

/** Answers of one number that one transaction carries out; a run asks again while some are left. */
const BATCH = 20;

interface ApprovedRow {
  id: string;
  action: string;
  params_encrypted: string | null;
  /** What one key approved, in fen; null when two did, or where nothing moves. */
  approved_fen: number | null;
  intervention_id: string;
  reason: string;
  subject: string;
  status: string;
  amount_fen: number | null;
  evidence: unknown;
}

/**
 * Carries out the committed, approved answers of a number, in the order they were given; each ends its
 * question in the same transaction, or is refused and leaves it open.
 * @returns true when there may be more
 */
export async function carryOutApproved(context: DatabaseContext, scope: Scope): Promise<boolean> {
  const { tx, outTradeNo } = scope;
  const rows = await tx.$queryRaw<ApprovedRow[]>`
    SELECT r.id::text, r.action, r.params_encrypted, r.approved_fen, i.id::text AS intervention_id, i.reason, i.subject,
      i.status, i.amount_fen, i.evidence
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
  if (row.status !== 'open' || !isInterventionAction(row.action)) {
    await finish(scope, row.id, { kind: 'refused', code: 'MOOT', detail: 'It is open no more' });
    return;
  }
  const question: OpenIntervention = {
    id: row.intervention_id,
    reason: row.reason,
    subject: row.subject,
    amountFen: row.amount_fen,
    evidence: row.evidence,
  };
  await tx.$executeRaw`SAVEPOINT answer`;
  const params = paramsOf(context, row);
  const upTo = row.approved_fen;
  const trial: Scope = { ...scope, refunds: new Set(), sharings: new Set() };
  const outcome = await carryOutUpTo(context, trial, question, row.action, params, upTo);
  if (outcome.kind === 'refused') {
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT answer`;
  } else {
    for (const no of trial.refunds) scope.refunds.add(no);
    for (const no of trial.sharings) scope.sharings.add(no);
    scope.decideAgain ||= trial.decideAgain;
    await tx.intervention.updateMany({
      where: { id: row.intervention_id, status: 'open' },
      data: { status: 'resolved', resolvedAt: now, resolution: row.action },
    });
  }
  scope.changed = true;
  await finish(scope, row.id, outcome);
}

function paramsOf({ cipher }: DatabaseContext, row: ApprovedRow): Params {
  if (row.params_encrypted === null) return {};
  const place = { table: 'intervention_resolutions', column: 'params', row: row.id };
  return JSON.parse(cipher.decrypt(place, row.params_encrypted)) as Params;
}

async function finish({ tx, now }: Scope, id: string, outcome: Outcome): Promise<void> {
  const isDone = outcome.kind === 'done';
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
