// Tests which caller a request has.
import { createHash } from 'node:crypto';
import { createAuthentication } from '../../../api/http/auth';

const secretHash = (secret: string) => createHash('sha256').update(secret).digest();
const authenticate = createAuthentication([
  { client: 'shop', role: 'merchant', secretHash: secretHash('new') },
  { client: 'ops', role: 'operator', secretHash: secretHash('other') },
  { client: 'shop', role: 'merchant', secretHash: secretHash('old') },
]);
const callerWith = (secret: string) =>
  authenticate({ headers: { authorization: `Bearer ${secret}` } });

test('both secrets of a client are the same caller', () => {
  expect(callerWith('new')).toEqual({ client: 'shop', name: 'shop', role: 'merchant' });
  expect(callerWith('old')).toEqual(callerWith('new'));
  expect(callerWith('other')).toMatchObject({ client: 'ops', role: 'operator' });
});
