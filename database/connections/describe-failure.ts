// Says in a few words why the database can't be used, for `/readyz`.
import { codeOf } from './session';

/** By SQLSTATE or its class, or by the code of a socket's error; the first that fits counts. */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'no server listens at its address'],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "its host's name is not known"],
  [/^(ECONNRESET|EPIPE)$/, 'the connection was cut'],
  [/^(ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/, 'its host does not respond'],
  [/^08/, 'the server, or a pooler in front of it, refused the connection'],
  [/^25006$/, 'the server is read-only'],
  [/^28/, 'the role or its password was refused'],
  [/^3D000$/, 'the server has no database of this name'],
  [/^42501$/, 'the role lacks a right'],
  [/^53300$/, 'the server has no free connection'],
  [/^53/, 'the server lacks memory or disk'],
  [/^57014$/, 'a statement took too long'],
  [/^57P/, 'the server starts or stops'],
];
/** Codes of SQL, sockets and TLS; nothing else is shown, because it may quote a value. */
const CODE = /^[A-Z][A-Z0-9_]{2,40}$|^[0-9A-Z]{5}$/;
/** `pg` gives no code with these. */
const SILENT = /time-?out|terminated/i;
const NO_TLS = /does not support SSL/;

/**
 * Describes an error of a connection or a statement by its code alone: `/readyz` needs no key, and
 * a message may quote names and values.
 */
export function describeFailure(error: unknown): string {
  const code = codeOf(error);
  const text = TEXTS.find(([pattern]) => code !== null && pattern.test(code))?.[1];
  if (code !== null && CODE.test(code)) return `${text ?? 'it failed'} (${code})`;
  const message = error instanceof Error ? error.message : '';
  if (NO_TLS.test(message)) return 'the server does not speak TLS';
  return SILENT.test(message) ? 'no response in time' : 'it failed without a code';
}
