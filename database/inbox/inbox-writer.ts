// Stores callbacks in the inbox, in micro-batches on connections of its own (P1, P2).
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { Notice } from '../../domain/payments/notices';
import { openPool } from '../connections/open-connections';
import { sqlStateOf } from '../core/classify-errors';
import { createFieldCipher, type FieldCipher } from '../encryption/field-encryption';
import { createKeyedHash, type KeyedHash } from '../encryption/keyed-hash';
import { FIRST_SWEEP_MS } from '../core/due-times';

/** A callback that passed signature and decryption. */
export interface IncomingNotification {
  readonly notificationId: string;
  readonly merchantId: string;
  readonly kind: Notice['kind'];
  readonly eventType: string | null;
  readonly outTradeNo: string | null;
  /** The decrypted text. */
  readonly resource: string;
}

export type StoredNotification =
  /** New, and the row's id. */
  | { readonly kind: 'added'; readonly id: string }
  /** The same notification is there already (S7: already_applied). */
  | { readonly kind: 'duplicate' }
  /** The id is known with another content: kept under an id of its own, with an alarm (S7). */
  | { readonly kind: 'conflicting'; readonly id: string };

/** The queue in front of the database is full: WeChat has to deliver the callback again. */
export class InboxOverloadedError extends Error {
  override readonly name = 'InboxOverloadedError';
}

export interface InboxWriter {
  /** Resolves after the commit (P1). @throws when the row could not be stored now */
  add(notification: IncomingNotification): Promise<StoredNotification>;
  end(): Promise<void>;
}

/** Connections of this path alone, so that nothing else can starve it (P2). */
const CONNECTIONS = 3;
/** Statements under way at once; callbacks that arrive meanwhile form the next batch. */
const MAX_IN_FLIGHT = 2;
const MAX_BATCH = 64;
/** Above this the reply is 503 at once: at 1,000 callbacks/s the deadline would pass anyway. */
const MAX_WAITING = 4_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** On our side: a stopped server never fires its own timeout. */
const QUERY_TIMEOUT_MS = 2_500;
/**
 * PostgreSQL would keep the plan that a named statement got while the inbox was small: a scan of
 * the whole index, until the next ANALYZE. A plan for each call looks up each row, for some 0.4 ms
 * a batch.
 */
const PLAN_EACH_CALL = { plan_cache_mode: 'force_custom_plan' };

interface Row {
  readonly id: string;
  readonly merchantId: string;
  readonly notificationId: string;
  readonly kind: string;
  readonly eventType: string | null;
  readonly outTradeNo: string | null;
  readonly contentHash: string;
  readonly resourceEncrypted: string;
  readonly verdict: 'ignored' | null;
}

interface Waiting {
  readonly row: Row;
  readonly resolve: (stored: StoredNotification) => void;
  readonly reject: (error: unknown) => void;
}

interface InsertedRow {
  readonly id: string;
  readonly added: boolean;
  readonly known_hash: string | null;
}

/** One statement, one round trip: a known id costs an index look-up, a new one an insert. */
const INSERT = {
  name: 'inbox-insert',
  text: `
WITH input AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::text[], $9::text[])
    AS t (id, merchant_id, notification_id, kind, event_type, out_trade_no, content_hash,
      resource_encrypted, verdict)
), known AS (
  SELECT input.id, n.content_hash FROM input JOIN notification_inbox n
    ON n.provider = 'wechatpay' AND n.merchant_id = input.merchant_id
      AND n.notification_id = input.notification_id
), added AS (
  INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, event_type, out_trade_no,
    content_hash, resource_encrypted, verdict, verdict_at, received_at, next_attempt_at)
  SELECT i.id, i.merchant_id, i.notification_id, i.kind, i.event_type, i.out_trade_no,
    i.content_hash, i.resource_encrypted, i.verdict,
    CASE WHEN i.verdict IS NULL THEN NULL ELSE $10::timestamptz END, $10::timestamptz,
    $11::timestamptz
  FROM input i WHERE NOT EXISTS (SELECT 1 FROM known WHERE known.id = i.id)
  -- Every writer inserts in this order, so that no two wait for each other.
  ORDER BY i.merchant_id, i.notification_id
  ON CONFLICT (provider, merchant_id, notification_id) DO NOTHING
  RETURNING id
)
SELECT input.id::text, added.id IS NOT NULL AS added, known.content_hash AS known_hash
FROM input LEFT JOIN added USING (id) LEFT JOIN known USING (id)`,
};

/**
 * Creates the writer of the callbacks' path. Callbacks that arrive while a statement is under way
 * form the next batch; the queue is bounded; each caller's promise settles after its row's commit.
 * Repeats of one notification share its look-up: a flood of them takes one place in the queue.
 */
export function createInboxWriter(options: {
  url: string;
  encryptionKeys: readonly { readonly id: string; readonly key: Buffer }[];
  hashKey: Buffer;
  onIdleError?: (error: Error) => void;
}): InboxWriter {
  const pool = openPool({
    url: options.url,
    applicationName: 'oncepay-callbacks',
    maxConnections: CONNECTIONS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    settings: PLAN_EACH_CALL,
    onIdleError: options.onIdleError,
  });
  const waiting: Waiting[] = [];
  let inFlight = 0;

  function pump(): void {
    while (inFlight < MAX_IN_FLIGHT && waiting.length > 0) {
      const batch = takeBatch(waiting);
      inFlight += 1;
      void write(pool, batch).finally(() => {
        inFlight -= 1;
        pump();
      });
    }
  }

  function enqueue(row: Row): Promise<StoredNotification> {
    if (waiting.length >= MAX_WAITING) return Promise.reject(new InboxOverloadedError());
    return new Promise((resolve, reject) => {
      waiting.push({ row, resolve, reject });
      pump();
    });
  }

  async function store(row: Row): Promise<StoredNotification> {
    const stored = await enqueue(row);
    if (stored.kind !== 'conflicting') return stored;
    // The same id with another content: both are kept, this one under an id made of both.
    const suffix = row.contentHash.slice(0, 16);
    const again = await enqueue({ ...row, notificationId: `${row.notificationId}#${suffix}` });
    return again.kind === 'added' ? { kind: 'conflicting', id: again.id } : { kind: 'duplicate' };
  }

  const toRow = createRows(createFieldCipher(options.encryptionKeys));
  return {
    add: shareLookUps(createKeyedHash(options.hashKey), (notification, contentHash) =>
      store(toRow(notification, contentHash)),
    ),
    end: () => pool.end(),
  };
}

/**
 * Lets repeats of one notification wait for the look-up of the first: they need no row, no
 * statement and no place in the queue of their own.
 */
function shareLookUps(
  hash: KeyedHash,
  store: (notification: IncomingNotification, contentHash: string) => Promise<StoredNotification>,
): InboxWriter['add'] {
  const underWay = new Map<string, Promise<StoredNotification>>();
  return async (notification) => {
    const contentHash = hash.hex('notice', notification.resource);
    const { merchantId, notificationId } = notification;
    const key = JSON.stringify([merchantId, notificationId, contentHash]);
    const same = underWay.get(key);
    if (same) {
      await same;
      return { kind: 'duplicate' };
    }
    const stored = store(notification, contentHash);
    underWay.set(key, stored);
    try {
      return await stored;
    } finally {
      underWay.delete(key);
    }
  };
}

function createRows(cipher: FieldCipher) {
  return (notification: IncomingNotification, contentHash: string): Row => {
    const id = uuidv7();
    const place = { table: 'notification_inbox', column: 'resource', row: id };
    const { kind } = notification;
    return {
      id,
      merchantId: notification.merchantId,
      notificationId: notification.notificationId,
      kind,
      eventType: notification.eventType,
      outTradeNo: notification.outTradeNo,
      contentHash,
      resourceEncrypted: cipher.encrypt(place, notification.resource),
      verdict: kind === 'unknown' || kind === 'profit_sharing' ? 'ignored' : null,
    };
  };
}

/** Takes the next rows, one of each id: the same id with other content waits for the next batch. */
function takeBatch(waiting: Waiting[]): Waiting[] {
  const batch: Waiting[] = [];
  const later: Waiting[] = [];
  const ids = new Set<string>();
  while (batch.length < MAX_BATCH && waiting.length > 0) {
    const next = waiting.shift();
    if (!next) break;
    const { notificationId } = next.row;
    if (ids.has(notificationId)) later.push(next);
    else {
      ids.add(notificationId);
      batch.push(next);
    }
  }
  waiting.unshift(...later);
  return batch;
}

async function write(pool: Pool, batch: readonly Waiting[]): Promise<void> {
  try {
    const rows = await insert(pool, batch);
    for (const { row, resolve, reject } of batch) {
      const result = rows.get(row.id);
      if (!result) reject(new Error('The insert into the inbox returned no result for a row'));
      else resolve(await outcomeOf(pool, row, result));
    }
  } catch (error) {
    // One bad value must not fail the other rows (SQLSTATE classes 22 and 23). Halves find it in
    // a few statements, so that the good ones among 64 don't wait for 64.
    if (batch.length > 1 && /^2[23]/.test(sqlStateOf(error) ?? '')) {
      const middle = Math.ceil(batch.length / 2);
      await write(pool, batch.slice(0, middle));
      await write(pool, batch.slice(middle));
      return;
    }
    for (const { reject } of batch) reject(error);
  }
}

async function insert(
  pool: Pool,
  batch: readonly Waiting[],
): Promise<ReadonlyMap<string, InsertedRow>> {
  const column = <K extends keyof Row>(name: K) => batch.map(({ row }) => row[name]);
  const now = new Date();
  const { rows } = await pool.query<InsertedRow>({
    ...INSERT,
    values: [
      column('id'),
      column('merchantId'),
      column('notificationId'),
      column('kind'),
      column('eventType'),
      column('outTradeNo'),
      column('contentHash'),
      column('resourceEncrypted'),
      column('verdict'),
      now,
      new Date(now.getTime() + FIRST_SWEEP_MS),
    ],
  });
  return new Map(rows.map((row) => [row.id, row]));
}

/** @returns whether the row is new, known, or known with another content */
async function outcomeOf(pool: Pool, row: Row, result: InsertedRow): Promise<StoredNotification> {
  if (result.added) return { kind: 'added', id: row.id };
  const known = result.known_hash ?? (await hashOf(pool, row));
  return known === row.contentHash ? { kind: 'duplicate' } : { kind: 'conflicting', id: row.id };
}

/** Another process stored it at the same moment: its row shows only in a new snapshot. */
async function hashOf(pool: Pool, row: Row): Promise<string | null> {
  const { rows } = await pool.query<{ content_hash: string }>({
    name: 'inbox-hash',
    text: `SELECT content_hash FROM notification_inbox WHERE provider = 'wechatpay'
      AND merchant_id = $1 AND notification_id = $2`,
    values: [row.merchantId, row.notificationId],
  });
  return rows[0]?.content_hash ?? null;
}
