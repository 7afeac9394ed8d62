// Starts one merchant's Oncepay on a stack: api and worker processes with made-up secrets.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from './processes/free-port';
import { packageRoot } from './processes/package-root';
import type { Managed, Stack } from './stack';

/** The servers that an Oncepay uses, and its configuration. */
export interface OncepayOptions {
  /** Owns the processes. */
  readonly stack: Pick<Stack, 'spawn'>;
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalNamespace?: string;
  /** Returns the `WECHATPAY_*` variables for callbacks to this address. */
  readonly wechatpay: (notifyUrl: string) => Readonly<Record<string, string>>;
  /** Additional variables; they win over the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Node's arguments instead of those of `npm run start:api` and `start:worker`. */
  readonly nodeArgs?: readonly string[];
  /** A second API key for the client of these roles, as while it changes its secret. */
  readonly secondKeys?: Partial<Readonly<Record<RoleName, string>>>;
}

export type RoleName = 'merchant' | 'operator' | 'admin' | 'viewer';

/** The API keys: one of each role, and the deputy, a second person of the role admin. */
export type KeyName = RoleName | 'deputy';

export interface Reply {
  readonly status: number;
  // Tests and scenarios read replies of any shape.
  readonly body: Json;
  readonly headers: Headers;
  readonly ms: number;
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface CallOptions {
  readonly body?: unknown;
  /** Sent as it is instead of `body`. */
  readonly rawBody?: string | Uint8Array<ArrayBuffer>;
  readonly as?: KeyName;
  readonly headers?: Readonly<Record<string, string>>;
  /** The port of another api process than the first. */
  readonly port?: number;
}

/** The place of one process. */
export interface Place {
  /** The folder of the built package that it runs. Default: this package. */
  readonly root?: string;
  /** Its port. Default: see `startApi` and `startWorker`. */
  readonly port?: number;
}

/** One merchant's Oncepay: its configuration, and the processes that were started. */
export interface Oncepay {
  readonly apiUrl: string;
  readonly notifyUrl: string;
  readonly databaseUrl: string;
  /** All variables except `PORT`. */
  readonly env: Readonly<Record<string, string>>;
  /** The secret of each API key. */
  readonly keys: Readonly<Record<KeyName, string>>;
  /**
   * Starts an api. The first one listens at `apiUrl`, each other one at a port of its own, unless
   * `place` says otherwise.
   * @param own variables of this process alone
   */
  startApi(
    own?: Readonly<Record<string, string>>,
    place?: Place,
  ): Promise<Managed & { readonly port: number }>;
  /**
   * Starts a worker. Its health and metrics are at a port of its own.
   * @param own variables of this process alone
   */
  startWorker(
    own?: Readonly<Record<string, string>>,
    place?: Place,
  ): Promise<Managed & { readonly port: number }>;
  call(method: string, path: string, options?: CallOptions): Promise<Reply>;
}

const READY_MS = 60_000;
/** The same as in `npm run start:api` and `start:worker`; they bound the memory. */
const NODE_ARGS = ['--max-semi-space-size=8', '--max-old-space-size=192'];

function environment(
  options: OncepayOptions,
  notifyUrl: string,
  keys: Readonly<Record<KeyName, string>>,
): Record<string, string> {
  return {
    NODE_ENV: 'development',
    MALLOC_ARENA_MAX: '2',
    DATABASE_URL: options.databaseUrl,
    TEMPORAL_ADDRESS: options.temporalAddress,
    TEMPORAL_NAMESPACE: options.temporalNamespace ?? 'default',
    ...options.wechatpay(notifyUrl),
    ONCEPAY_API_KEYS: [...Object.entries(keys), ...Object.entries(options.secondKeys ?? {})]
      .map(([role, key]) => `${role}:${role === 'deputy' ? 'admin' : role}:${key}`)
      .join(','),
    ONCEPAY_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
    ONCEPAY_HASH_KEY: randomBytes(32).toString('base64'),
    ...options.env,
  };
}

/** Creates an Oncepay with new secrets, as an operator would make them. It starts no process. */
export async function createOncepay(options: OncepayOptions): Promise<Oncepay> {
  const port = await freePort();
  const apiUrl = `http://127.0.0.1:${port}`;
  const notifyUrl = `${apiUrl}/callbacks/wechat`;
  const secret = () => randomBytes(24).toString('base64url');
  const keys = {
    merchant: secret(),
    operator: secret(),
    admin: secret(),
    viewer: secret(),
    deputy: secret(),
  };
  const env = environment(options, notifyUrl, keys);
  const nodeArgs = options.nodeArgs ?? NODE_ARGS;
  let apis = 0;
  let workers = 0;

  return {
    apiUrl,
    notifyUrl,
    databaseUrl: options.databaseUrl,
    env,
    keys,
    async startApi(own = {}, { root = packageRoot(), port: wanted } = {}) {
      apis += 1;
      const name = `api-${port}-${apis}`;
      const listensAt = wanted ?? (apis === 1 ? port : await freePort());
      const started = await options.stack.spawn(name, {
        script: join(root, 'dist/api/main.js'),
        nodeArgs,
        env: { ...env, ...own, PORT: String(listensAt) },
        ready: { url: `http://127.0.0.1:${listensAt}/healthz`, timeoutMs: READY_MS },
      });
      return { ...started, port: listensAt };
    },
    async startWorker(own = {}, { root = packageRoot(), port: wanted } = {}) {
      const healthPort = wanted ?? (await freePort());
      const worker = await options.stack.spawn(`worker-${port}-${(workers += 1)}`, {
        script: join(root, 'dist/workers/main.js'),
        nodeArgs,
        env: { ...env, ...own, PORT: String(healthPort) },
        ready: { url: `http://127.0.0.1:${healthPort}/readyz`, timeoutMs: READY_MS },
      });
      return { ...worker, port: healthPort };
    },
    async call(method, path, { body, rawBody, as = 'admin', headers, port: other } = {}) {
      const url = other === undefined ? apiUrl : `http://127.0.0.1:${other}`;
      const sent = rawBody ?? (body === undefined ? undefined : JSON.stringify(body));
      const started = performance.now();
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${keys[as]}`,
          ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(sent === undefined ? {} : { body: sent }),
      });
      const text = await response.text();
      const ms = performance.now() - started;
      return { status: response.status, body: readJson(text), headers: response.headers, ms };
    },
  };
}

function readJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
