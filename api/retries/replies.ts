// Schema and rendering of a retry policy in replies.
import { z } from 'zod';
import type { StoredPolicy } from '../../database/retries/retry-policies';
import { time } from '../http/reply-fields';

/** The retry policy of an operation. */
export const policyReply = z.object({
  operation: z.string(),
  base_delay_ms: z.int(),
  factor: z.number(),
  jitter: z.number(),
  max_delay_ms: z.int(),
  max_attempts: z.int(),
  retryable_codes: z.array(z.string()),
  non_retryable_codes: z.array(z.string()),
  version: z.int(),
  updated_by: z.string(),
  updated_at: time,
});

/** All retry policies. */
export const policyListReply = z.object({ data: z.array(policyReply) });

/** Renders a retry policy. */
export function renderPolicy(policy: StoredPolicy): z.output<typeof policyReply> {
  return {
    operation: policy.operation,
    base_delay_ms: policy.baseDelayMs,
    factor: policy.factor,
    jitter: policy.jitter,
    max_delay_ms: policy.maxDelayMs,
    max_attempts: policy.maxAttempts,
    retryable_codes: [...policy.retryableCodes],
    non_retryable_codes: [...policy.nonRetryableCodes],
    version: policy.version,
    updated_by: policy.updatedBy,
    updated_at: policy.updatedAt.toISOString(),
  };
}
