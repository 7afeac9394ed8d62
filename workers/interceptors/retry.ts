import type { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { RetryDecider } from '../../activities/retries/decide-retry';

/**
 * Stands around every activity and ends its failed attempts as the judge says. A local activity keeps
 * its few quick tries: what it can't do becomes a regular one.
 */
export function createRetryInterceptor(judge: RetryDecider): ActivityInterceptorsFactory {
  return ({ info }: Context) => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          if (info.isLocal) throw error;
          const [number] = input.args;
          throw await judge(error, {
            activity: info.activityType,
            number: typeof number === 'string' ? number : info.activityType,
            attempt: info.attempt,
          });
        }
      },
    },
  });
}
