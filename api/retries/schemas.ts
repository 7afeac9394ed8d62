import { z } from 'zod';
import type { StoredPolicy } from '../../database/retries/retry-policies';
import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import { POLICY_BOUNDS } from '../../domain/retries/retry-policy';
import { version } from '../http/fields';

/** Input and replies of what operators change while everything runs. */

const { maxDelayMs, maxFactor, maxJitter, maxAttempts } = POLICY_BOUNDS;

const delay = z
  .int('must be whole milliseconds')
  .min(1, 'must be at least 1')
  .max(maxDelayMs, `must be at most ${maxDelayMs}`);

const code = z.string().refine(isErrorCode, 'must be a code of the error catalogue');

const codes = z
  .array(code)
  .max(100, 'must have at most 100 entries')
  .superRefine((list, context) => {
    const again = list.findIndex((one, index) => list.indexOf(one) !== index);
    if (again >= 0) context.addIssue({ code: 'custom', path: [again], message: 'is there twice' });
  });

const policyFields = {
  base_delay_ms: delay,
  factor: z.number('must be a number').min(1, 'must be at least 1').max(maxFactor, 'is too large'),
  jitter: z.number('must be a number').min(0, 'must be 0 to 1').max(maxJitter, 'must be 0 to 1'),
  max_delay_ms: delay,
  max_attempts: z
    .int('must be an integer')
    .min(1, 'must be at least 1')
    .max(maxAttempts, `must be at most ${maxAttempts}`),
  retryable_codes: codes.min(1, 'must not be empty: nothing would ever be tried again'),
  non_retryable_codes: codes,
};

/** What a GET answers can be sent back as it is: the operation must match, the version is checked. */
export const policyBody = z
  .strictObject({
    ...policyFields,
    operation: z.string().optional().describe('must be that of the address'),
    version: version.optional().describe('when given, only this version is replaced'),
    updated_by: z.unknown().optional().describe('ignored'),
    updated_at: z.unknown().optional().describe('ignored'),
  })
  .superRefine((policy, context) => {
    if (policy.base_delay_ms > policy.max_delay_ms) {
      context.addIssue({
        code: 'custom',
        path: ['base_delay_ms'],
        message: 'must not be more than max_delay_ms',
      });
    }
    policy.non_retryable_codes.forEach((one, index) => {
      if (!policy.retryable_codes.includes(one)) return;
      const path = ['non_retryable_codes', index];
      context.addIssue({ code: 'custom', path, message: 'is in both lists' });
    });
  });

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
  updated_at: z.iso.datetime(),
});

export const policyListReply = z.object({ data: z.array(policyReply) });

/** The policy that a body describes. */
export function toRetryPolicy(body: z.output<typeof policyBody>) {
  return {
    baseDelayMs: body.base_delay_ms,
    factor: body.factor,
    jitter: body.jitter,
    maxDelayMs: body.max_delay_ms,
    maxAttempts: body.max_attempts,
    // Checked above; a refinement doesn't narrow the type.
    retryableCodes: body.retryable_codes.filter(isErrorCode) satisfies ErrorCode[],
    nonRetryableCodes: body.non_retryable_codes.filter(isErrorCode) satisfies ErrorCode[],
  };
}

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
