// Reads the variables of an environment, and the files that some of them name.
import { readFileSync, statSync } from 'node:fs';
import { isOfKubernetes } from './check-names';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that are set, with the texts of the files. */
export interface GivenValues {
  readonly values: Record<string, string>;
  /** The names that the environment itself has. */
  readonly names: readonly string[];
  /** Variables whose `_FILE` can't be read. That is reported once, not also as missing. */
  readonly unreadable: ReadonlySet<string>;
  /** Variables whose `_FILE` every user of this machine may read. */
  readonly openToAll: readonly string[];
}

const SECRET = /^(WECHATPAY|ONCEPAY|FEISHU|WECHAT)_|^DATABASE_URL_FILE$|^TEMPORAL_API_KEY_FILE$/;
/** The bit of a file's mode that lets users outside its group read it. */
const READABLE_BY_OTHERS = 0o004;

/**
 * Drops empty variables, which count as missing, and those of Kubernetes. Fills X from `X_FILE`
 * with the file's text without its last line break.
 */
export function readValues(env: Environment, problems: string[]): GivenValues {
  const values: Record<string, string> = {};
  const unreadable = new Set<string>();
  const openToAll: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value !== '' && !isOfKubernetes(name, value)) values[name] = value;
  }
  const names = Object.keys(values);
  for (const [fileName, path] of Object.entries(values)) {
    if (!fileName.endsWith('_FILE') || !SECRET.test(fileName)) continue;
    const name = fileName.slice(0, -'_FILE'.length);
    if (values[name] !== undefined) {
      problems.push(`${name} and ${fileName} are both set: remove one of them`);
      continue;
    }
    try {
      values[name] = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      if ((statSync(path).mode & READABLE_BY_OTHERS) !== 0) openToAll.push(fileName);
    } catch {
      problems.push(`${fileName} names a file that can't be read`);
      unreadable.add(name);
    }
  }
  return { values, names, unreadable, openToAll };
}
