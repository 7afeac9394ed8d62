import type { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** Beats within one heartbeat timeout: two may get lost. */
const BEATS = 3;

/**
 * Beats for every activity whose workflow has given it a heartbeat timeout: when its worker dies, its next
 * attempt begins after that, not after the whole of its time.
 */
export function createHeartbeatInterceptor(): ActivityInterceptorsFactory {
  return (context: Context) => ({
    inbound: {
      async execute(input, next) {
        const { heartbeatTimeoutMs, isLocal } = context.info;
        if (isLocal || heartbeatTimeoutMs === undefined) return next(input);
        const timer = setInterval(() => context.heartbeat(), heartbeatTimeoutMs / BEATS);
        try {
          return await next(input);
        } finally {
          clearInterval(timer);
        }
      },
    },
  });
}
