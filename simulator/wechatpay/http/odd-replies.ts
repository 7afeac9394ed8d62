// Makes replies whose fields are not as they should be, though WeChat signed them.
import type { Fault } from './faults';
import type { Reply } from './reply';

type Fields = Record<string, unknown>;

/** The object that holds a field, made where it is missing; null when a parent is no object. */
function parentOf(body: Fields, names: readonly string[]): Fields | null {
  let parent = body;
  for (const name of names) {
    const next = (parent[name] ??= {});
    if (typeof next !== 'object') return null;
    parent = next as Fields;
  }
  return parent;
}

/** A 2xx reply with the fault's fields; others are WeChat's as they are. */
export function oddReply(reply: Reply, { fields = {}, without = [] }: Fault): Reply {
  if (reply.body === null || reply.status >= 300) return reply;
  const body = structuredClone(reply.body) as Fields;
  for (const [path, value] of Object.entries(fields)) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const parent = parentOf(body, names);
    if (parent) parent[last] = value;
  }
  for (const path of without) {
    const names = path.split('.');
    const last = names.pop() ?? '';
    const parent = parentOf(body, names);
    if (parent) Reflect.deleteProperty(parent, last);
  }
  return { ...reply, body };
}
