// Tells an unreachable Temporal from a request that Temporal refused.

/** gRPC: CANCELLED, DEADLINE_EXCEEDED, UNAVAILABLE. https://grpc.io/docs/guides/status-codes/ */
const AWAY = new Set<unknown>([1, 4, 14]);
/** The client wraps the errors of gRPC once or twice. */
const MAX_DEPTH = 5;

/** True when Temporal could not be reached; false when it refused this one request. */
export function isTemporalAway(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    if (typeof current !== 'object' || current === null) return false;
    if ('code' in current && AWAY.has(current.code)) return true;
    if ('message' in current && /Failed to connect|timed? ?out/i.test(String(current.message))) {
      return true;
    }
    current = 'cause' in current ? current.cause : null;
  }
  return false;
}
