// Keeps the app's token: one request for it however many calls wait, renewed before its end.
import type { FeishuOutcome } from './outcome';

/** A token that Feishu calls good for less than this is renewed first. */
const RENEW_BEFORE_MS = 5 * 60_000;

export interface AppToken {
  readonly token: string;
  readonly lifeMs: number;
}

export interface AppTokens {
  /** The token in use, or a new one. */
  current(): Promise<FeishuOutcome<string>>;
  /** Forgets a token that Feishu refused, unless a newer one has taken its place. */
  drop(token: string): void;
}

/** @param deps.now ms since 1970 */
export function createAppTokens(deps: {
  readonly fetchToken: () => Promise<FeishuOutcome<AppToken>>;
  readonly now: () => number;
}): AppTokens {
  let kept: { readonly token: string; readonly renewAtMs: number } | null = null;
  let underWay: Promise<FeishuOutcome<string>> | null = null;
  const renew = async (): Promise<FeishuOutcome<string>> => {
    const outcome = await deps.fetchToken();
    if (outcome.kind !== 'ok') return outcome;
    const { token, lifeMs } = outcome.value;
    kept = { token, renewAtMs: deps.now() + lifeMs - RENEW_BEFORE_MS };
    return { ...outcome, value: token };
  };
  return {
    current() {
      if (kept !== null && deps.now() < kept.renewAtMs) {
        return Promise.resolve({ kind: 'ok', value: kept.token, logId: null });
      }
      underWay ??= renew().finally(() => (underWay = null));
      return underWay;
    },
    drop(token) {
      if (kept?.token === token) kept = null;
    },
  };
}
