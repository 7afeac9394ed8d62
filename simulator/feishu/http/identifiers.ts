// Makes the ids that Feishu gives to its things.
import { randomBytes } from 'node:crypto';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** `rec…`, `tbl…`, `fld…`, `opt…`: a prefix with random letters and digits. */
export function createId(prefix: string, length = 14): string {
  return prefix + [...randomBytes(length)].map((byte) => LETTERS[byte % 62]).join('');
}

/** `ou_…`, `oc_…`, `om_…`, `cli_…`: a prefix with random hex digits. */
export function createHexId(prefix: string, digits = 32): string {
  return prefix + randomBytes(digits / 2).toString('hex');
}

/** The `X-Tt-Logid` of a reply: the time and 20 hex digits. */
export function createLogId(nowMs: number): string {
  const time = new Date(nowMs).toISOString().replace(/\D/g, '').slice(0, 14);
  return time + randomBytes(10).toString('hex').toUpperCase();
}
