// Reads DATABASE_URL: where the database is, its schema, and how its sessions are set.
// Sandbox: deterministic only.

/** `DATABASE_URL`, taken apart. */
export interface DatabaseUrl {
  /** For `pg`: the URL without the parameters that are kept below. */
  readonly connectionString: string;
  /** The schema of all tables, from `?schema=`; null where the role's own search_path says it. */
  readonly schema: string | null;
  /** PostgreSQL's settings of a session that the URL names, by name. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The URL can't be used; the message says what it must be, and quotes no value. */
export class DatabaseUrlError extends Error {
  override readonly name = 'DatabaseUrlError';
}

/**
 * A name that PostgreSQL takes for a schema, at most 63 bytes long. Quotes and spaces would be
 * possible there, but are more often a mistake in the URL.
 */
const SCHEMA = /^[A-Za-z_][A-Za-z0-9_$-]{0,62}$/;
/** PostgreSQL keeps these names for itself. */
const RESERVED = /^(pg_|information_schema$)/;
/**
 * `pg` would send these in the packet that opens the connection, and a pooler such as PgBouncer
 * refuses a packet that names them. So they are sent as statements.
 */
const SETTINGS = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
/** One setting in `options`: `-c name=value` or `--name=value`; a backslash keeps a space. */
const OPTION = /\s*(?:-c\s*|--)([A-Za-z_][\w.-]*)=((?:\\.|[^\\\s])*)(?=\s|$)/gy;

/**
 * Reads the URL of the database.
 * @throws DatabaseUrlError when it is no PostgreSQL URL, or a parameter of it can't be used
 */
export function readDatabaseUrl(text: string): DatabaseUrl {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== 'postgres:' && url?.protocol !== 'postgresql:') {
    throw new DatabaseUrlError('must be a postgresql:// URL');
  }
  const { searchParams } = url;
  const settings: Record<string, string> = {};
  Object.assign(settings, readOptions(searchParams.getAll('options').join(' ')));
  for (const name of SETTINGS) {
    const value = searchParams.get(name);
    if (value !== null) settings[name] = value;
  }
  const schema = readSchema(searchParams.getAll('schema'));
  const kept = ['schema', 'options', ...SETTINGS].filter((name) => searchParams.has(name));
  if (kept.length === 0) return { connectionString: text, schema, settings };
  for (const name of kept) searchParams.delete(name);
  return { connectionString: url.href, schema, settings };
}

function readSchema(values: readonly string[]): string | null {
  const [schema] = values;
  if (schema === undefined) return null;
  if (values.length > 1 || !SCHEMA.test(schema) || RESERVED.test(schema)) {
    throw new DatabaseUrlError(
      'must have one schema after `schema=`: up to 63 letters, digits or underscores, ' +
        'no name that begins with pg_',
    );
  }
  return schema;
}

function readOptions(text: string): Record<string, string> {
  const settings: Record<string, string> = {};
  let end = 0;
  for (const match of text.matchAll(OPTION)) {
    const [all, name = '', value = ''] = match;
    settings[name.replaceAll('-', '_')] = value.replaceAll(/\\(.)/g, '$1');
    end = match.index + all.length;
  }
  if (text.slice(end).trim() !== '') {
    throw new DatabaseUrlError('must have `-c name=value` after `options=`');
  }
  return settings;
}
