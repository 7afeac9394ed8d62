// Schemas for the values of environment variables; each message says what the value must be.
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import { isFen, MAX_FEN, type Fen } from '../domain/money';
import { DatabaseUrlError, readDatabaseUrl } from '../domain/settings/database-url';
import { TASK_QUEUE_NAMES, type TaskQueue } from '../domain/temporal/task-queues';
import { formatDuration, MAX_DURATION_MS, parseDurationMs } from './durations';

export const ROLES = ['merchant', 'operator', 'admin', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

/** One secret of a client. A client that changes its secret has two for a while. */
export interface ApiKey {
  /** Name of the client. */
  readonly client: string;
  readonly role: Role;
  /** SHA-256 of the secret. The api compares it in constant time. */
  readonly secretHash: Buffer;
}

export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Buffer;
}

/** A time of day on a clock of 24 hours. */
export interface TimeOfDay {
  readonly hour: number;
  readonly minute: number;
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

export const port = z
  .string()
  .regex(/^\d{1,5}$/, 'must be a port number, 0 to 65535')
  .transform(Number)
  .refine((value) => value <= 65_535, 'must be a port number, 0 to 65535');

export const text = (pattern: RegExp, expected: string) => z.string().regex(pattern, expected);

/** An IPv4 or IPv6 address, or a name of this host. */
export const host = text(/^[\w.:%-]{1,255}$/, 'must be an address of this host, like 127.0.0.1');

export const temporalAddress = text(
  /^(\[[\da-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?$/,
  'must be host:port, like localhost:7233',
);

/** Accepts PEM text with line breaks or with `\n` written out. */
function pem(value: string): string {
  return value.includes('\\n') ? value.replaceAll('\\n', '\n') : value;
}

function key(make: (pemText: string) => KeyObject, expected: string) {
  return z.string().transform((value, context) => {
    try {
      const parsed = make(pem(value));
      if (parsed.asymmetricKeyType === 'rsa') return parsed;
    } catch {
      // The message below says enough; the error's own text could quote the key.
    }
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

export const privateKey = key(createPrivateKey, 'must be an RSA private key as PEM text');
export const publicKey = key(createPublicKey, 'must be an RSA public key as PEM text');

export const apiV3Key = z
  .string()
  .refine((value) => Buffer.byteLength(value) === 32, 'must be 32 bytes long')
  .transform((value) => Buffer.from(value));

export const hashKey = z
  .string()
  .min(16, 'must have at least 16 characters')
  .transform((value) => Buffer.from(value));

export function url(options: { production: boolean; allowQuery: boolean }) {
  return z.string().superRefine((value, context) => {
    const problem = urlProblem(value, options);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  });
}

function urlProblem(
  value: string,
  options: { production: boolean; allowQuery: boolean },
): string | null {
  // A URL parser drops white space, but the text is used as it is.
  if (!URL.canParse(value) || /\s/.test(value)) return 'must be a URL';
  const parsed = new URL(value);
  const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(parsed.hostname);
  const plainAllowed = parsed.protocol === 'http:' && loopback && !options.production;
  if (parsed.protocol !== 'https:' && !plainAllowed) {
    return options.production
      ? 'must start with https://'
      : 'must start with https:// (http:// is accepted for loopback addresses only)';
  }
  if (parsed.username || parsed.password) return 'must not contain a user or a password';
  if (!options.allowQuery && /[?#]/.test(value)) return 'must have no query string and no fragment';
  return null;
}

export const databaseUrl = z.string().superRefine((value, context) => {
  try {
    readDatabaseUrl(value);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

/** A client needs two secrets to change from one to the other without a gap, and never more. */
const MAX_SECRETS = 2;

export const apiKeys = z.string().transform((value, context): ApiKey[] => {
  const keys: ApiKey[] = [];
  const refuse = (message: string) => context.addIssue({ code: 'custom', message });
  for (const entry of value.split(',').map((part) => part.trim())) {
    const [, client = '', role = '', secret = ''] = /^([^:]+):([^:]+):(.+)$/.exec(entry) ?? [];
    const known = ROLES.find((candidate) => candidate === role);
    if (!known || !/^[\w.-]{1,64}$/.test(client)) {
      refuse(`must be name:role:secret,… with a role of ${ROLES.join(', ')}`);
      return z.NEVER;
    }
    keys.push({ client, role: known, secretHash: createHash('sha256').update(secret).digest() });
  }
  clientProblems(keys).forEach(refuse);
  return keys;
});

interface Entry extends ApiKey {
  /** In the list, from 1. A message names an entry by it, and so quotes no part of a key. */
  readonly place: number;
}

function clientProblems(keys: readonly ApiKey[]): string[] {
  const entries = keys.map((one, index): Entry => ({ ...one, place: index + 1 }));
  const places = (group: readonly Entry[]) => group.map(({ place }) => place).join(', ');
  const clients = grouped(entries, ({ client }) => client);
  return [
    ...grouped(entries, ({ secretHash }) => secretHash.toString('hex'))
      .filter((group) => group.length > 1)
      .map((group) => `must not repeat a secret: entries ${places(group)}`),
    ...clients
      .filter((group) => new Set(group.map(({ role }) => role)).size > 1)
      .map((group) => `must not give one name two roles: entries ${places(group)}`),
    ...clients
      .filter((group) => group.length > MAX_SECRETS)
      .map((group) => `must not give one name more than two secrets: entries ${places(group)}`),
  ];
}

function grouped(entries: readonly Entry[], by: (entry: Entry) => string): Entry[][] {
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) groups.set(by(entry), [...(groups.get(by(entry)) ?? []), entry]);
  return [...groups.values()];
}

export const encryptionKeys = z.string().transform((value, context): EncryptionKey[] => {
  const keys = value.split(',').map((entry) => {
    const [, id = '', encoded = ''] = /^([\w-]{1,32}):(.+)$/.exec(entry.trim()) ?? [];
    return { id, key: BASE64.test(encoded) ? Buffer.from(encoded, 'base64') : Buffer.alloc(0) };
  });
  const bad = keys.some(({ id, key: bytes }) => id === '' || bytes.length !== 32);
  if (bad || new Set(keys.map(({ id }) => id)).size < keys.length) {
    context.addIssue({
      code: 'custom',
      message: 'must be id:base64,… with a different id for each key and 32 bytes in each',
    });
  }
  return keys;
});

export const webhookSecret = z.string().superRefine((value, context) => {
  try {
    new Webhook(value);
  } catch {
    context.addIssue({ code: 'custom', message: 'must be whsec_ followed by base64' });
  }
});

export const duration = (range: { minMs: number; maxMs: number }) => {
  const between = `from ${formatDuration(range.minMs)} to ${formatDuration(range.maxMs)}`;
  return z.string().transform((value, context): number => {
    const ms = parseDurationMs(value);
    if (ms !== null && ms >= range.minMs && ms <= range.maxMs) return ms;
    context.addIssue({ code: 'custom', message: `must be a time like 30s, 5m, 1h, ${between}` });
    return z.NEVER;
  });
};

/**
 * Times that an operator can override at run time; the environment and the api use these checks.
 */
export const paymentWindow = duration({ minMs: 1_000, maxMs: MAX_DURATION_MS });
export const refundSpacing = duration({ minMs: 0, maxMs: MAX_DURATION_MS });
export const patrolInterval = duration({ minMs: 1_000, maxMs: 24 * 3_600_000 });

export const sharingDelay = duration({ minMs: 0, maxMs: MAX_DURATION_MS });
/** WeChat unfreezes the rest by itself after 30 days. */
export const unfreezeAfter = duration({ minMs: 1_000, maxMs: 30 * 24 * 3_600_000 });

export const percent = z.string().transform((value, context): number => {
  const [, digits] = /^(\d{1,3})%?$/.exec(value) ?? [];
  if (digits !== undefined && Number(digits) <= 100) return Number(digits);
  context.addIssue({ code: 'custom', message: 'must be a percentage, an integer from 0 to 100' });
  return z.NEVER;
});

/** How long rows are kept. WeChat repeats a callback for a day, so a day is the least. */
export const keptTime = duration({ minMs: 24 * 3_600_000, maxMs: 3_650 * 24 * 3_600_000 });

export const fenLimit = z.string().transform((value, context): Fen => {
  const amountFen = Number(value);
  if (/^\d{1,10}$/.test(value) && isFen(amountFen)) return amountFen;
  context.addIssue({
    code: 'custom',
    message: `must be an amount in fen: an integer from 0 to ${MAX_FEN}`,
  });
  return z.NEVER;
});

export const durations = z.string().transform((value, context): number[] => {
  const list = value.split(',').map((part) => parseDurationMs(part) ?? 0);
  if (list.length <= 100 && list.every((ms) => ms > 0 && ms <= MAX_DURATION_MS)) return list;
  context.addIssue({ code: 'custom', message: 'must be times like 30s,1m,2m, each up to 7d' });
  return z.NEVER;
});

/** The beginnings of order numbers; WeChat's numbers have letters, digits and `_-|*`. */
export const numberPrefixes = z.string().transform((value, context): string[] => {
  const prefixes = value.split(',').map((part) => part.trim());
  if (prefixes.length <= 20 && prefixes.every((one) => /^[\w\-|*]{1,32}$/.test(one)))
    return prefixes;
  context.addIssue({
    code: 'custom',
    message: 'must be up to 20 beginnings of order numbers, like POS,ERP-',
  });
  return z.NEVER;
});

/**
 * A time of day in Beijing, from which on WeChat has the bill of the day before; null for `off`.
 */
export const reconcileAt = z.string().transform((value, context): TimeOfDay | null => {
  if (value === 'off') return null;
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(value) ?? [];
  const at = { hour: Number(hours), minute: Number(minutes) };
  if (at.hour >= 10) return at;
  context.addIssue({
    code: 'custom',
    message: 'must be a time of day in Beijing from 10:00 on, like 10:30, or off',
  });
  return z.NEVER;
});

/** The parts of the api that a process can run. */
export const API_ROLES = ['callbacks', 'api', 'ops'] as const;
export type ApiRole = (typeof API_ROLES)[number];

export const apiRoles = z.string().transform((value, context): ReadonlySet<ApiRole> => {
  const names = value.split(',').map((part) => part.trim());
  const known = API_ROLES.filter((role) => names.includes(role));
  if (known.length === new Set(names).size) return new Set(known);
  const message = `must be one or more of ${API_ROLES.join(', ')}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
});

export const taskQueues = z.string().transform((value, context): readonly TaskQueue[] => {
  const names = value.split(',').map((part) => part.trim());
  const known = TASK_QUEUE_NAMES.filter((queue) => names.includes(queue));
  if (known.length === new Set(names).size) return known;
  context.addIssue({
    code: 'custom',
    message: `must be one or more of ${TASK_QUEUE_NAMES.join(', ')}`,
  });
  return z.NEVER;
});
