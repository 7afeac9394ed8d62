// Opens every connection of Oncepay to PostgreSQL: pools, and the one of the migrations.
import { Client, Pool, type ClientBase, type PoolClient } from 'pg';
import { readDatabaseUrl } from '../../domain/settings/database-url';
import { codeOf, READ_ONLY, setUpSession, type SessionSettings } from './session';

/** How a pool is opened. Times are in milliseconds. */
export interface PoolOptions {
  /** `DATABASE_URL`; what it says about a session wins over `settings`. */
  readonly url: string;
  /** `pg_stat_activity` shows this name. */
  readonly applicationName: string;
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** On our side: a stopped server never fires its own time-out. */
  readonly queryTimeoutMs: number;
  readonly settings: SessionSettings;
  /** Called when an idle connection is lost; the pool replaces it. */
  readonly onIdleError?: ((error: Error) => void) | undefined;
}

/** Returns the settings of each session; they win over the defaults of the server and the role. */
function sessionOf(url: string, own: SessionSettings) {
  const { connectionString, schema, settings } = readDatabaseUrl(url);
  const given = Object.entries(settings).filter(([name]) => !/^time_?zone$/i.test(name));
  const session: SessionSettings = {
    ...own,
    ...Object.fromEntries(given),
    ...(schema === null ? {} : { search_path: `"${schema}"` }),
    // Prisma reads and writes times without their zone, so the session's zone is part of a value.
    timezone: 'UTC',
  };
  const startZone = Object.entries(settings).find(([name]) => /^time_?zone$/i.test(name))?.[1];
  return { connectionString, session, startZone };
}

/**
 * Opens a pool. Nothing is sent before the first statement, so the database may be down.
 * A connection leaves the pool when it can't be used again: an open transaction is left in it, or
 * its server is a reader. The next call then connects anew.
 * @throws DatabaseUrlError when the URL can't be used
 */
export function openPool(options: PoolOptions): Pool {
  const { connectionString, session } = sessionOf(options.url, options.settings);
  const open = new Set<ClientBase>();
  const idle = new Set<ClientBase>();
  const ended = new WeakSet<ClientBase>();

  function end(client: ClientBase, error: unknown): void {
    ended.add(client);
    if (codeOf(error) !== READ_ONLY) return;
    // After a fail-over all connections are at the same reader. Those in use end on their release.
    for (const other of open) ended.add(other);
    for (const other of idle) other.emit('error', new Error('The server became read-only'));
  }

  const setUp = (client: ClientBase) =>
    setUpSession(client, session, options.connectTimeoutMs, (error) => end(client, error));
  const config = {
    connectionString,
    max: options.maxConnections,
    connectionTimeoutMillis: options.connectTimeoutMs,
    query_timeout: options.queryTimeoutMs,
    keepAlive: true,
    application_name: options.applicationName,
    // The pool waits for it, and ends the connection when it fails; its type does not say so.
    onConnect: setUp,
  };
  const pool = new Pool(config);
  pool.on('error', (error) => options.onIdleError?.(error));
  pool.on('connect', (client) => open.add(client));
  pool.on('acquire', (client) => idle.delete(client));
  pool.on('remove', (client) => {
    open.delete(client);
    idle.delete(client);
  });
  pool.on('release', (_error, client) => {
    if (isUsable(client) && !ended.has(client)) idle.add(client);
    else
      void client.end().catch((error: unknown) => {
        options.onIdleError?.(error as Error);
      });
  });
  return pool;
}

/**
 * A statement that timed out may leave its transaction open. The pool would give the connection to
 * the next caller, whose commit would also commit that half of a transaction.
 */
function isUsable(client: PoolClient): boolean {
  return client.getTransactionStatus() === 'I';
}

/**
 * Opens one connection, for the migrations. The caller ends it. A time zone in the URL stands in
 * the packet that opens it, as 0.3.0 sent it: the migration 0010 reads from `pg_settings` with
 * which zone the sessions of old processes began.
 * @throws what `pg` throws when the database can't be reached, ReadOnlyServerError
 */
export async function openConnection(options: {
  readonly url: string;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
}): Promise<Client> {
  const { connectionString, session, startZone } = sessionOf(options.url, {});
  const client = new Client({
    connectionString,
    ...(startZone === undefined ? {} : { options: `-c TimeZone=${startZone}` }),
    connectionTimeoutMillis: options.connectTimeoutMs,
    application_name: options.applicationName,
  });
  client.on('error', () => {
    // The running query fails with the same error. Without a listener it would end the process.
  });
  try {
    await client.connect();
    await setUpSession(client, session, options.connectTimeoutMs, () => undefined);
    return client;
  } catch (error) {
    await client.end().catch(() => {
      // The first error counts.
    });
    throw error;
  }
}
