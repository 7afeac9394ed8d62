// Makes one call to Feishu with the app's token, and reports it as an event.
import { createAppTokens, type AppToken } from './app-token';
import { readOutcome, type FeishuOutcome } from './outcome';
import type { FeishuRequest, FeishuTransport } from '../transport/transport';

/** Feishu's slowest calls, batches of 500 rows, take some seconds. */
const DEFAULT_REQUEST_TIMEOUT_MS = 15_000;

const TOKEN_PATH = '/open-apis/auth/v3/tenant_access_token/internal';

export type FeishuOperation =
  | 'token'
  | 'batch_create'
  | 'batch_update'
  | 'batch_delete'
  | 'search'
  | 'fields'
  | 'field_create'
  | 'table_create'
  | 'subscribe'
  | 'message_send'
  | 'message_update'
  | 'bot_hook';

export interface FeishuCallEvent {
  readonly event: 'feishu.called';
  readonly operation: FeishuOperation;
  readonly outcome: FeishuOutcome<unknown>['kind'];
  /** Feishu's own code; null without a reply of Feishu. */
  readonly code: number | null;
  readonly logId: string | null;
  readonly durationMs: number;
}

export interface FeishuCall<T> extends Pick<FeishuRequest, 'method' | 'path' | 'body'> {
  readonly operation: FeishuOperation;
  /** The value in a reply with code 0; null when the reply does not fit the request. */
  readonly read: (json: Readonly<Record<string, unknown>>) => { readonly value: T } | null;
}

export interface FeishuPerform {
  /** Sends with the app's token; once more with a new one when Feishu refuses the token. */
  readonly withToken: <T>(call: FeishuCall<T>) => Promise<FeishuOutcome<T>>;
  /** Sends once, without a token. */
  readonly bare: <T>(call: FeishuCall<T>) => Promise<FeishuOutcome<T>>;
}

export interface PerformDeps {
  readonly transport: FeishuTransport;
  readonly appId: string;
  readonly appSecret: string;
  /** ms since 1970. */
  readonly now: () => number;
  readonly requestTimeoutMs?: number | undefined;
  /** For logs and metrics; carries no content. Must not throw. */
  readonly onEvent?: ((event: FeishuCallEvent) => void) | undefined;
}

export function createFeishuPerform(deps: PerformDeps): FeishuPerform {
  const { transport, requestTimeoutMs: timeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = deps;
  const sendOnce = async <T>(call: FeishuCall<T>, token: string | null) => {
    const startedMs = performance.now();
    const { operation, method, path, body, read } = call;
    const outcome = readOutcome(
      await transport.send({ method, path, body, token, timeoutMs }),
      read,
    );
    deps.onEvent?.({
      event: 'feishu.called',
      operation,
      outcome: outcome.kind,
      code: outcome.kind === 'ok' ? 0 : outcome.code,
      logId: outcome.logId,
      durationMs: Math.round(performance.now() - startedMs),
    });
    return outcome;
  };
  const tokens = createAppTokens({
    now: deps.now,
    fetchToken: () =>
      sendOnce(
        {
          operation: 'token',
          method: 'POST',
          path: TOKEN_PATH,
          body: { app_id: deps.appId, app_secret: deps.appSecret },
          read: readToken,
        },
        null,
      ),
  });
  return {
    bare: (call) => sendOnce(call, null),
    async withToken(call) {
      const first = await tokens.current();
      if (first.kind !== 'ok') return first;
      const outcome = await sendOnce(call, first.value);
      if (outcome.kind !== 'token') return outcome;
      tokens.drop(first.value);
      const second = await tokens.current();
      return second.kind === 'ok' ? sendOnce(call, second.value) : second;
    },
  };
}

/** Feishu counts the life of a token in seconds. */
function readToken(json: Readonly<Record<string, unknown>>): { value: AppToken } | null {
  const { tenant_access_token: token, expire } = json;
  if (typeof token !== 'string' || typeof expire !== 'number') return null;
  return { value: { token, lifeMs: expire * 1000 } };
}
