// The floods: each is a load that its sender needs no secret, or one API key for.
import type { Oncepay } from '../../stack/oncepay';
import { forged, signCallbacks } from '../ground/signed-callbacks';
import type { Ground } from '../ground/ground';
import type { Flood } from './flood-control';

/** A flood, and the role of the api that takes it. */
export interface NamedFlood extends Omit<Flood, 'target'> {
  readonly name: string;
  readonly at: 'callbacks' | 'api';
}

/** The largest body of a callback that is read. */
const FORGED_BYTES = 65_000;
/** Of a well-formed order number that does not exist. */
const NO_ORDER = '/v1/orders/none';

function get(path: string, key?: string): string {
  const authorization = key === undefined ? '' : `authorization: Bearer ${key}\r\n`;
  return `GET ${path} HTTP/1.1\r\nhost: bench\r\n${authorization}\r\n`;
}

function post(path: string, headers: Readonly<Record<string, string>>, body: string): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
  return `POST ${path} HTTP/1.1\r\nhost: bench\r\n${lines.join('')}${length}\r\n${body}`;
}

/** A callback with headers as WeChat sends them, and a large body that nobody has signed. */
function forgedCallback({ platform, credentials }: Ground): string {
  const [callback] = forged(signCallbacks(platform, credentials, 1));
  if (!callback) throw new Error('No callback was signed');
  const body = callback.body.replace(/[^ -~]/g, '?').padEnd(FORGED_BYTES);
  return post('/callbacks/wechat', callback.headers, body);
}

/** Makes the floods against an Oncepay. The forged callbacks are fresh for five minutes. */
export function createFloods(ground: Ground, { keys }: Pick<Oncepay, 'keys'>): NamedFlood[] {
  const one = { pipelined: 1 };
  return [
    {
      name: 'lists of 200 orders, one key',
      at: 'api',
      ...one,
      connections: 64,
      perSecond: 200,
      request: get('/v1/orders?limit=200', keys.viewer),
    },
    {
      name: 'refused requests, one key',
      at: 'api',
      ...one,
      connections: 256,
      perSecond: 4_000,
      request: get(NO_ORDER, keys.viewer),
    },
    {
      name: 'requests without a key',
      at: 'api',
      ...one,
      connections: 256,
      perSecond: 4_000,
      request: get(NO_ORDER),
    },
    {
      name: '10,000 pipelined requests, one key',
      at: 'api',
      connections: 4,
      perSecond: 1,
      pipelined: 10_000,
      request: get(NO_ORDER, keys.viewer),
    },
    {
      name: 'GET /metrics',
      at: 'api',
      ...one,
      connections: 64,
      perSecond: 1_000,
      request: get('/metrics'),
    },
    {
      name: 'forged callbacks of 65 KB',
      at: 'callbacks',
      ...one,
      connections: 64,
      perSecond: 1_000,
      request: forgedCallback(ground),
    },
    {
      name: 'callbacks without a signature',
      at: 'callbacks',
      ...one,
      connections: 256,
      perSecond: 4_000,
      request: post('/callbacks/wechat', {}, '{}'),
    },
  ];
}
