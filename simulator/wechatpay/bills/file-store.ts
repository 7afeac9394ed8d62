// Keeps the files of bills under the tokens of their URLs.
import { randomToken } from '../keys/crypto';
import type { BillSubject } from './bill-faults';

/** Some of WeChat's pages say 30 s. */
const URL_LIFE_MS = 5 * 60_000;
const TOKEN_LENGTH = 64;
/** The oldest files are forgotten beyond it. */
const FILE_LIMIT = 100;

export interface BillFile extends BillSubject {
  readonly merchantId: string;
  readonly bytes: Buffer;
  /** True: to be sent as GZIP. */
  readonly packed: boolean;
}

export interface FileStore {
  /** @returns the token of its URL */
  readonly keep: (file: BillFile) => string;
  /** Null for an unknown token, and for one that is too old. */
  readonly find: (token: string) => BillFile | null;
  readonly clear: () => void;
}

export function createFileStore(now: () => number): FileStore {
  const files = new Map<string, { readonly file: BillFile; readonly expiresAtMs: number }>();
  return {
    keep: (file) => {
      const token = randomToken(TOKEN_LENGTH);
      files.set(token, { file, expiresAtMs: now() + URL_LIFE_MS });
      const [oldest] = files.keys();
      if (files.size > FILE_LIMIT && oldest !== undefined) files.delete(oldest);
      return token;
    },
    find: (token) => {
      const found = files.get(token);
      return found !== undefined && now() <= found.expiresAtMs ? found.file : null;
    },
    clear: () => files.clear(),
  };
}
