// Sets the session of a new connection, in a way that also works behind a pooler.
import type { ClientBase } from 'pg';

/*
 * Nothing of the session travels in the packet that opens the connection: a pooler such as
 * PgBouncer refuses packets that name time-outs or `options`. One statement after connecting sets
 * the session instead.
 *
 * Behind a pooler a session may last for one transaction only, and the next one may be on another
 * connection to the server. So each transaction there sets its own session with SET LOCAL, in the
 * same round trip as its BEGIN, and a single statement gets a transaction of its own.
 */

/** Settings of PostgreSQL by name, such as `statement_timeout`. */
export type SessionSettings = Readonly<Record<string, string>>;

/** A statement, as `pg` takes it. */
interface Statement {
  readonly text: string;
  readonly name?: string | undefined;
  readonly values?: unknown;
  readonly query_timeout?: number;
}

type Send = (statement: Statement) => Promise<unknown>;
type Callback = (error: unknown, result?: unknown) => void;

/** The server that replied is a reader: it takes no orders and no callbacks. */
export class ReadOnlyServerError extends Error {
  override readonly name = 'ReadOnlyServerError';
  readonly code = READ_ONLY;

  constructor() {
    super('The server of the database is read-only');
  }
}

/** SQLSTATE read_only_sql_transaction. */
export const READ_ONLY = '25006';
/** SQLSTATEs after which a session is of no use: a reader, or a server that stops or starts. */
const ENDED = /^(25006|57P0[1-5])$/;
const LIST = 'search_path';

/**
 * Returns true when the connection to the server has to be replaced after this error. `pg` gives
 * the SQLSTATE in `code`.
 */
export function endsSession(error: unknown): boolean {
  return ENDED.test(codeOf(error) ?? '');
}

/** The code of an error of `pg` or of a socket, or null. */
export function codeOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null;
  return typeof error.code === 'string' ? error.code : null;
}

/** One statement, so one round trip. Where a pooler stands between, it sets nothing. */
const SET_UP = `SELECT pg_backend_pid() = $1 AS direct,
  current_setting('transaction_read_only') = 'on' AS "readOnly",
  (SELECT count(set_config(name, value, false)) FROM unnest($2::text[], $3::text[])
    AS setting (name, value) WHERE pg_backend_pid() = $1) AS set`;

/**
 * Sets the session of a connection that has just been opened, and watches its statements.
 * @param timeoutMs how long the server may take to reply
 * @param onEnd called with each error after which the connection has to be replaced
 * @throws ReadOnlyServerError when the server is a reader; the error of `pg` when it refuses a
 * setting. The caller ends the connection.
 */
export async function setUpSession(
  client: ClientBase,
  settings: SessionSettings,
  timeoutMs: number,
  onEnd: (error: unknown) => void,
): Promise<void> {
  const names = Object.keys(settings);
  const pid = (client as unknown as { readonly processID: number | null }).processID;
  const send = client.query.bind(client) as unknown as Send;
  const result = (await send({
    text: SET_UP,
    values: [pid, names, names.map((name) => settings[name])],
    query_timeout: timeoutMs,
  })) as { rows: { direct: boolean | null; readOnly: boolean }[] };
  const [row] = result.rows;
  if (row?.readOnly === true) throw new ReadOnlyServerError();
  // A pooler makes up the process id that it sends, so another id says that one stands between.
  const around = row?.direct === true ? send : behindPooler(client, send, setLocal(settings));
  watch(client, around, onEnd);
}

/** Replaces the client's `query` by one that passes through `send` and notes what fails. */
function watch(client: ClientBase, send: Send, onEnd: (error: unknown) => void): void {
  const run = async (statement: Statement) => {
    try {
      return await send(statement);
    } catch (error) {
      if (endsSession(error)) onEnd(error);
      throw error;
    }
  };
  const query = (first: string | Statement, second?: unknown, third?: Callback) => {
    const given = typeof first === 'string' ? { text: first } : first;
    const callback = typeof second === 'function' ? (second as Callback) : third;
    const values = typeof second === 'function' ? undefined : second;
    const result = run(values === undefined ? given : { ...given, values });
    if (callback === undefined) return result;
    result.then((found) => {
      callback(undefined, found);
    }, callback);
    return undefined;
  };
  client.query = query as unknown as typeof client.query;
}

/** Gives each transaction its session, and each single statement a transaction. */
function behindPooler(client: ClientBase, send: Send, locals: string): Send {
  return async ({ name: _name, ...statement }) => {
    // A named statement is known to the one connection on which it was prepared.
    if (/^BEGIN\b/.test(statement.text)) {
      return send({ ...statement, text: `${statement.text}; ${locals}` });
    }
    if (client.getTransactionStatus() !== 'I') return send(statement);
    await send({ text: `BEGIN; ${locals}` });
    try {
      const result = await send(statement);
      await send({ text: 'COMMIT' });
      return result;
    } catch (error) {
      // Without a reply of the server the connection is useless, and its owner ends it.
      if (codeOf(error) !== null) {
        await send({ text: 'ROLLBACK' }).catch(() => {
          // The first error counts; the server rolls back when the connection ends.
        });
      }
      throw error;
    }
  };
}

function setLocal(settings: SessionSettings): string {
  return Object.entries(settings)
    .map(([name, value]) => `SET LOCAL ${name} = ${name === LIST ? list(value) : literal(value)}`)
    .join('; ');
}

/** SET takes a text with commas as one name, so each name of a list stands by itself. */
function list(value: string): string {
  const names = value.split(',').map((name) => name.trim());
  return names
    .map((name) => (/^".*"$/.test(name) ? name.slice(1, -1) : name.toLowerCase()))
    .map(literal)
    .join(', ');
}

function literal(value: string): string {
  // The prefix makes the text independent of standard_conforming_strings.
  return `E'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
