// Tests the name of the person behind an API key.
import { personOf } from '../../../domain/clients/person';

test.each<[Parameters<typeof personOf>[0], string]>([
  [{ name: 'ops' }, 'ops'],
  [{ name: 'Ops' }, 'ops'],
  [{ name: 'ops-2', operator: null }, 'ops-2'],
  [{ name: 'ops-2', operator: 'Li.Ming' }, 'li.ming'],
  [{ name: 'li.ming' }, 'li.ming'],
])('the person of the key %j is %j', (key, expected) => {
  expect(personOf(key)).toBe(expected);
});
