// An app that calls the Feishu simulator over HTTP, and a receiver for its events.
import { createDecipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { FeishuSimulator } from '../../../../simulator/feishu/control/simulator';
import type { FeishuSimulatorOptions } from '../../../../simulator/feishu/options';
import { startFeishuSimulator } from '../../../../simulator/feishu/server';

const reply = z.looseObject({
  code: z.number(),
  msg: z.string(),
  data: z.record(z.string(), z.unknown()).optional(),
});

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly code: number;
  readonly msg: string;
  readonly data: Record<string, unknown>;
}

export interface App {
  readonly feishu: FeishuSimulator;
  /** A call with the app's token; the path goes on from `/open-apis/`. */
  call: (method: string, path: string, body?: unknown) => Promise<Reply>;
  /** A call about a table's rows: `batch_create`, `search`, … */
  rows: (tableId: string, action: string, body?: unknown) => Promise<Reply>;
  /** The path of a table's calls. */
  table: (tableId: string) => string;
  makeTable: (fields: readonly object[], name?: string) => Promise<string>;
  /** Asks for a token anew. */
  renew: () => Promise<void>;
}

async function readReply(response: Response): Promise<Reply> {
  const { code, msg, data = {} } = reply.parse(await response.json());
  return { status: response.status, headers: response.headers, code, msg, data };
}

/** Posts without a token, as a request for one and the bot's hook do. */
export async function post(url: string, body: unknown): Promise<Reply> {
  const headers = { 'Content-Type': 'application/json; charset=utf-8' };
  return readReply(await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }));
}

export async function tokenOf({ url, settings }: FeishuSimulator): Promise<string> {
  const response = await fetch(`${url}/open-apis/auth/v3/tenant_access_token/internal`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
    body: JSON.stringify({ app_id: settings.appId, app_secret: settings.appSecret }),
  });
  const body: unknown = await response.json();
  return z.looseObject({ tenant_access_token: z.string() }).parse(body).tenant_access_token;
}

/** Starts a simulator whose app has its token. */
export async function startApp(options: FeishuSimulatorOptions = {}): Promise<App> {
  const feishu = await startFeishuSimulator({ writeMs: 0, ...options });
  let token = await tokenOf(feishu);
  const call: App['call'] = async (method, path, body) => {
    const response = await fetch(`${feishu.url}/open-apis/${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json; charset=utf-8',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return readReply(response);
  };
  const tables = `bitable/v1/apps/${feishu.settings.appToken}/tables`;
  return {
    feishu,
    call,
    rows: (tableId, action, body) => call('POST', `${tables}/${tableId}/records/${action}`, body),
    table: (tableId) => `${tables}/${tableId}`,
    makeTable: async (fields, name = '支付回调处理日志') => {
      const made = await call('POST', tables, { table: { name, fields } });
      return z.object({ table_id: z.string() }).parse(made.data).table_id;
    },
    renew: async () => {
      token = await tokenOf(feishu);
    },
  };
}

const records = z.array(
  z.looseObject({ record_id: z.string(), fields: z.record(z.string(), z.unknown()) }),
);

/** The rows of a reply to a write. */
export const writtenBy = ({ data }: Reply) => records.parse(data['records']);
/** The rows of a reply to a search. */
export const foundBy = ({ data }: Reply) => records.parse(data['items']);

export interface ReceivedEvent {
  readonly headers: IncomingHttpHeaders;
  /** As posted. */
  readonly raw: string;
}

export interface Receiver {
  readonly url: string;
  readonly received: ReceivedEvent[];
  /** The reply to the next events; null: none. */
  reply: (next: { status: number; body?: object } | null) => void;
  close: () => Promise<void>;
}

/** The app's address for events. */
export async function startReceiver(): Promise<Receiver> {
  const received: ReceivedEvent[] = [];
  let next: { status: number; body?: object } | null = { status: 200 };
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      received.push({ headers: req.headers, raw: Buffer.concat(chunks).toString('utf8') });
      if (next !== null) res.writeHead(next.status).end(JSON.stringify(next.body ?? {}));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/callbacks/feishu`,
    received,
    reply: (value) => {
      next = value;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Decrypts as Feishu's documentation says. */
export function decrypt(encryptKey: string, encrypted: string): string {
  const bytes = Buffer.from(encrypted, 'base64');
  const key = createHash('sha256').update(encryptKey).digest();
  const decipher = createDecipheriv('aes-256-cbc', key, bytes.subarray(0, 16));
  return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString('utf8');
}

const envelope = z.object({
  header: z.object({ event_id: z.string(), event_type: z.string(), token: z.string() }),
  event: z.record(z.string(), z.unknown()),
});

/** An event's header and content. @throws where its signature is not Feishu's */
export function openEvent(encryptKey: string, { headers, raw }: ReceivedEvent) {
  const timestamp = String(headers['x-lark-request-timestamp']);
  const nonce = String(headers['x-lark-request-nonce']);
  const signed = createHash('sha256')
    .update(timestamp + nonce + encryptKey + raw)
    .digest('hex');
  if (signed !== headers['x-lark-signature']) throw new Error('the signature is wrong');
  const { encrypt } = z.object({ encrypt: z.string() }).parse(JSON.parse(raw));
  return envelope.parse(JSON.parse(decrypt(encryptKey, encrypt)));
}
