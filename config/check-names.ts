// Finds variables whose names nobody reads: typing errors, and names of later versions.
import { COMPOSE_NAMES, LATER_NAMES } from './known-names';

/** Findings about the names of an environment; none quotes a value. */
export interface NameFindings {
  /** They stop the start. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

const OURS = /^(ONCEPAY|WECHATPAY)_/;
/** Other programs may have variables with these prefixes too. */
const SHARED = /^(WECHAT|FEISHU)_/;
/** At most so many letters wrong: then a name with a shared prefix is meant for Oncepay. */
const TYPING_ERROR = 2;

/** What Kubernetes sets in each container for each Service, such as one called `oncepay-api`. */
const OF_KUBERNETES = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/;

/** True for a variable that Kubernetes makes for a Service. */
export function isOfKubernetes(name: string, value: string): boolean {
  const isLink = name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value);
  return isLink || OF_KUBERNETES.test(name);
}

/**
 * Checks the names of the variables that are set.
 * @param names without those of empty variables and of Kubernetes
 * @param read the names that this version reads
 */
export function checkNames(names: readonly string[], read: readonly string[]): NameFindings {
  const problems: string[] = [];
  const warnings: string[] = [];
  const known = [...read, ...LATER_NAMES, ...COMPOSE_NAMES];
  for (const name of names) {
    const ours = OURS.test(name);
    const bare = name.replace(/_FILE$/, '');
    const meant = known.includes(name) ? name : bare;
    if (LATER_NAMES.includes(meant)) {
      warnings.push(`${name} has no effect: this version does not use it yet`);
    } else if (known.includes(meant) || !(ours || SHARED.test(name))) continue;
    else {
      const suffix = bare === name ? '' : '_FILE';
      const { nearest, distance } = findNearest(bare, known);
      if (ours || distance <= TYPING_ERROR) {
        problems.push(`${name} is unknown; the nearest known name is ${nearest}${suffix}`);
      } else warnings.push(`${name} is unknown and has no effect`);
    }
  }
  return { problems, warnings };
}

function findNearest(name: string, known: readonly string[]) {
  return known.reduce(
    (best, candidate) => {
      const distance = countEdits(name, candidate);
      return distance < best.distance ? { nearest: candidate, distance } : best;
    },
    { nearest: '', distance: Number.POSITIVE_INFINITY },
  );
}

/** The letters to insert, delete or replace until `from` is `to` (Levenshtein distance). */
function countEdits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [index, letter] of Array.from(from).entries()) {
    const next = [index + 1];
    for (let at = 1; at <= to.length; at += 1) {
      const replaced = (row[at - 1] ?? 0) + (letter === to[at - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
