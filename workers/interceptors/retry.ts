// Lets the retry decider end every failed attempt of an activity.
import type { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { RetryDecider } from '../../activities/retries/decide-retry';

/**
 * Wraps every regular activity, so that a failed attempt ends as `decideRetry` decides. A local
 * activity keeps its few quick attempts; when they fail, the workflow starts a regular one.
 */
export function createRetryInterceptor(decideRetry: RetryDecider): ActivityInterceptorsFactory {
  return ({ info }: Context) => ({
    inbound: {
      async execute(input, next) {
        try {
          return await next(input);
        } catch (error) {
          if (info.isLocal) throw error;
          const [number] = input.args;
          throw await decideRetry(error, {
            activity: info.activityType,
            number: typeof number === 'string' ? number : info.activityType,
            attempt: info.attempt,
          });
        }
      },
    },
  });
}
