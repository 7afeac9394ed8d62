// Sends heartbeats for activities.
import type { Context } from '@temporalio/activity';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

/** Heartbeats within one heartbeat timeout, so that two may get lost. */
const BEATS = 3;

/**
 * Sends heartbeats for every activity that has a heartbeat timeout. When its worker dies, the next
 * attempt begins after that timeout instead of the much longer one of the attempt.
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
