// Schema of the request that replaces a retry policy.
import { z } from 'zod';
import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import { POLICY_BOUNDS } from '../../domain/retries/retry-policy';
import { version } from '../http/fields';

const { maxDelayMs, maxFactor, maxJitter, maxAttempts } = POLICY_BOUNDS;

const delay = z
  .int('must be an integer of milliseconds')
  .min(1, 'must be at least 1')
  .max(maxDelayMs, `must be at most ${maxDelayMs}`);

const code = z.string().refine(isErrorCode, 'must be an error code of Oncepay');

const codes = z
  .array(code)
  .max(100, 'must have at most 100 entries')
  .superRefine((list, context) => {
    const again = list.findIndex((one, index) => list.indexOf(one) !== index);
    if (again >= 0)
      context.addIssue({ code: 'custom', path: [again], message: 'must not be listed twice' });
  });

const policyFields = {
  base_delay_ms: delay,
  factor: z
    .number('must be a number')
    .min(1, 'must be at least 1')
    .max(maxFactor, `must be at most ${maxFactor}`),
  jitter: z.number('must be a number').min(0, 'must be 0 to 1').max(maxJitter, 'must be 0 to 1'),
  max_delay_ms: delay,
  max_attempts: z
    .int('must be an integer')
    .min(1, 'must be at least 1')
    .max(maxAttempts, `must be at most ${maxAttempts}`),
  retryable_codes: codes.min(1, 'must not be empty: the operation would never be retried'),
  non_retryable_codes: codes,
};

/**
 * `PUT /v1/retry-policies/{operation}`. It accepts the reply of a GET unchanged: the operation must
 * be that of the path, the version is checked, and `updated_by` and `updated_at` are ignored.
 */
export const policyBody = z
  .strictObject({
    ...policyFields,
    operation: z.string().optional().describe('must be the operation of the path'),
    version: version
      .optional()
      .describe('when sent, the change is refused unless this is the current version'),
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
      context.addIssue({ code: 'custom', path, message: 'must not be in retryable_codes too' });
    });
  });

/** The policy that a request describes. */
export function toRetryPolicy(body: z.output<typeof policyBody>) {
  return {
    baseDelayMs: body.base_delay_ms,
    factor: body.factor,
    jitter: body.jitter,
    maxDelayMs: body.max_delay_ms,
    maxAttempts: body.max_attempts,
    // The schema has checked them; a refinement does not narrow the type.
    retryableCodes: body.retryable_codes.filter(isErrorCode) satisfies ErrorCode[],
    nonRetryableCodes: body.non_retryable_codes.filter(isErrorCode) satisfies ErrorCode[],
  };
}
