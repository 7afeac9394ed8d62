// Tests the clients and secrets that ONCEPAY_API_KEYS may name.
import { createHash } from 'node:crypto';
import { apiKeys } from '../../config/fields';

const read = (value: string) => apiKeys.safeParse(value);
const messages = (value: string) => read(value).error?.issues.map(({ message }) => message) ?? [];
const sha256 = (text: string) => createHash('sha256').update(text).digest();

test('a client may have two secrets, so that it changes them without a gap', () => {
  const { data } = read('shop:merchant:new,ops:operator:o,shop:merchant:old');
  expect(data).toEqual([
    { client: 'shop', role: 'merchant', secretHash: sha256('new') },
    { client: 'ops', role: 'operator', secretHash: sha256('o') },
    { client: 'shop', role: 'merchant', secretHash: sha256('old') },
  ]);
});

test.each<[string, string, string[]]>([
  [
    'a third secret',
    'a:viewer:s-1,b:admin:s-2,a:viewer:s-3,a:viewer:s-4',
    ['must not give one name more than two secrets: entries 1, 3, 4'],
  ],
  [
    'two roles under one name',
    'a:viewer:s-1,a:admin:s-2',
    ['must not give one name two roles: entries 1, 2'],
  ],
  [
    'one secret under two names',
    'a:viewer:s-1,b:admin:s-1',
    ['must not repeat a secret: entries 1, 2'],
  ],
  [
    'one entry twice',
    'b:admin:s-2,a:viewer:s-1,a:viewer:s-1',
    ['must not repeat a secret: entries 2, 3'],
  ],
  [
    'several faults at once',
    'a:viewer:s-1,a:admin:s-2,c:viewer:s-2',
    ['must not repeat a secret: entries 2, 3', 'must not give one name two roles: entries 1, 2'],
  ],
])('an environment with %s is refused, and the message names the entries', (_, value, expected) => {
  expect(messages(value)).toEqual(expected);
});
