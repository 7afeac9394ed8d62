// Reads and changes the retry policies.
import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import { RETRY_POLICIES } from '../../domain/proposals/who-decides';
import {
  isRetryOperation,
  type RetryOperation,
  type RetryPolicy,
} from '../../domain/retries/retry-policy';
import { Prisma } from '../../generated/prisma/client';
import { audit } from '../core/write-audit';
import type { DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import { keptRequestOf, type NewProposal, type Submission } from '../proposals/proposal-row';
import {
  endApproved,
  matchProposal,
  propose,
  type ApprovalRefusal,
  type ProposalMatch,
} from '../proposals/two-persons';

/** A policy with its version. */
export interface StoredPolicy extends RetryPolicy {
  readonly operation: RetryOperation;
  /** 1 as seeded; each change adds 1. */
  readonly version: number;
  /** Name of the API key; `migration` as seeded. */
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

/** The result of a change. */
export type PolicyChange =
  | { readonly kind: 'ok'; readonly policy: StoredPolicy }
  | { readonly kind: 'version_conflict'; readonly version: number }
  /** A second person has to request the same; nothing is changed. */
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal };

export interface NewPolicy extends Submission {
  readonly policy: RetryPolicy;
  /** The version that the caller has read; null replaces whichever version is there. */
  readonly expectedVersion: number | null;
}

interface PolicyRow {
  operation: string;
  baseDelayMs: number;
  factor: number;
  jitter: number;
  maxDelayMs: number;
  maxAttempts: number;
  retryableCodes: string[];
  nonRetryableCodes: string[];
  version: number;
  updatedBy: string;
  updatedAt: Date;
}

const COLUMNS = Prisma.sql`operation, base_delay_ms AS "baseDelayMs", factor, jitter,
  max_delay_ms AS "maxDelayMs", max_attempts AS "maxAttempts", retryable_codes AS "retryableCodes",
  non_retryable_codes AS "nonRetryableCodes", version, updated_by AS "updatedBy",
  updated_at AS "updatedAt"`;

/** The retry policies, one per operation: workers read them all the time, admins change them. */
export function createRetryPolicies(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** Lists all policies by operation, without operations that this version doesn't have. */
    list: async (): Promise<StoredPolicy[]> => {
      const rows = await prisma.$queryRaw<PolicyRow[]>`
        SELECT ${COLUMNS} FROM retry_policies ORDER BY operation`;
      return rows.flatMap((row) => toPolicy(row) ?? []);
    },

    /**
     * Replaces a policy. Operations that are being retried follow it from their next attempt. A
     * change of a policy for money becomes a proposal.
     * @returns `version_conflict`, and nothing changed, when the policy has another version
     */
    put: (operation: RetryOperation, change: NewPolicy, nowMs: number): Promise<PolicyChange> =>
      prisma.$transaction((tx) =>
        changePolicy(context, { tx, now: new Date(nowMs) }, operation, change),
      ),
  };
}

async function changePolicy(
  context: DatabaseContext,
  scope: TxScope,
  operation: RetryOperation,
  change: NewPolicy,
): Promise<PolicyChange> {
  const { tx } = scope;
  const { policy, expectedVersion, actor } = change;
  const content = contentOf(policy);
  const shown = { ...content, version: expectedVersion };
  const request = {
    action: 'retry_policy',
    subject: operation,
    amountFen: null,
    content: Object.values(content),
    // The api reads the fields of a policy as it shows them.
    body: expectedVersion === null ? content : shown,
    shown,
  } as const;
  const match = await matchProposal(context, scope, change, request);
  if (match.kind === 'proposed' || match.kind === 'refused') return match;
  const before = await lockPolicy(tx, operation);
  const version = before?.version ?? 0;
  const versions = [expectedVersion, proposedVersion(context, match)];
  if (versions.some((expected) => expected !== null && expected !== version)) {
    return { kind: 'version_conflict', version };
  }
  if (match.kind === 'approved') {
    await endApproved(context, scope, match.proposal, { submission: change });
  } else if (RETRY_POLICIES[operation] === 'any change' && !isSame(before, policy)) {
    const { replaces } = match;
    const proposal = await propose(context, scope, { actor, request, replaces });
    return { kind: 'proposed', proposal };
  }
  return { kind: 'ok', policy: await writePolicy(tx, operation, change, before) };
}

/** The version that the proposer had read; null for whichever, and where nobody proposed. */
function proposedVersion(context: DatabaseContext, match: ProposalMatch): number | null {
  if (match.kind !== 'approved') return null;
  const { version } = keptRequestOf(context, match.proposal).body as { readonly version?: number };
  return version ?? null;
}

const isSame = (before: RetryPolicy | null, after: RetryPolicy): boolean =>
  before !== null && JSON.stringify(contentOf(before)) === JSON.stringify(contentOf(after));

async function writePolicy(
  tx: Tx,
  operation: RetryOperation,
  { policy, actor }: NewPolicy,
  before: StoredPolicy | null,
): Promise<StoredPolicy> {
  const version = (before?.version ?? 0) + 1;
  const [row] = await tx.$queryRaw<{ at: Date }[]>`
    INSERT INTO retry_policies (operation, base_delay_ms, factor, jitter, max_delay_ms,
      max_attempts, retryable_codes, non_retryable_codes, version, updated_by, updated_at)
    VALUES (${operation}, ${policy.baseDelayMs}, ${policy.factor}, ${policy.jitter},
      ${policy.maxDelayMs}, ${policy.maxAttempts}, ${[...policy.retryableCodes]}::text[],
      ${[...policy.nonRetryableCodes]}::text[], ${version}, ${actor.name}, now())
    ON CONFLICT (operation) DO UPDATE SET base_delay_ms = excluded.base_delay_ms,
      factor = excluded.factor, jitter = excluded.jitter, max_delay_ms = excluded.max_delay_ms,
      max_attempts = excluded.max_attempts, retryable_codes = excluded.retryable_codes,
      non_retryable_codes = excluded.non_retryable_codes, version = excluded.version,
      updated_by = excluded.updated_by, updated_at = excluded.updated_at
    RETURNING updated_at AS at`;
  if (!row) throw new Error(`The policy of ${operation} was not written`);
  const after = { ...policy, operation, version, updatedBy: actor.name, updatedAt: row.at };
  await audit(tx, actor, {
    action: 'retry_policy.put',
    subject: operation,
    details: { before: before && toAudit(before), after: toAudit(after) },
  });
  return after;
}

/** The fields that make a policy what it is, with the names of the API. */
function contentOf(policy: RetryPolicy) {
  return {
    base_delay_ms: policy.baseDelayMs,
    factor: policy.factor,
    jitter: policy.jitter,
    max_delay_ms: policy.maxDelayMs,
    max_attempts: policy.maxAttempts,
    retryable_codes: policy.retryableCodes,
    non_retryable_codes: policy.nonRetryableCodes,
  };
}

/** A policy for the audit log. */
const toAudit = (policy: StoredPolicy) => ({ ...contentOf(policy), version: policy.version });

/** Locks the policy; waits for another change of it. */
async function lockPolicy(tx: Tx, operation: string): Promise<StoredPolicy | null> {
  const [row] = await tx.$queryRaw<PolicyRow[]>`
    SELECT ${COLUMNS} FROM retry_policies WHERE operation = ${operation} FOR UPDATE`;
  return row ? toPolicy(row) : null;
}

function toPolicy(row: PolicyRow): StoredPolicy | null {
  const { operation } = row;
  if (!isRetryOperation(operation)) return null;
  const known = (codes: readonly string[]): ErrorCode[] => codes.filter(isErrorCode);
  return {
    ...row,
    operation,
    retryableCodes: known(row.retryableCodes),
    nonRetryableCodes: known(row.nonRetryableCodes),
  };
}
