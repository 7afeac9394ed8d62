// Tests how /readyz describes a database that can't be used.
import { describeFailure } from '../../../database/connections/describe-failure';

const SECRET = 'pw-of-shop';
const coded = (code: string) => Object.assign(new Error(SECRET), { code });

test.each([
  [coded('ECONNREFUSED'), 'no server listens at its address (ECONNREFUSED)'],
  [coded('ENOTFOUND'), "its host's name is not known (ENOTFOUND)"],
  [coded('28P01'), 'the role or its password was refused (28P01)'],
  [coded('3D000'), 'the server has no database of this name (3D000)'],
  [coded('08P01'), 'the server, or a pooler in front of it, refused the connection (08P01)'],
  [coded('53300'), 'the server has no free connection (53300)'],
  [coded('57P03'), 'the server starts or stops (57P03)'],
  [coded('25006'), 'the server is read-only (25006)'],
  [coded('42704'), 'it failed (42704)'],
  [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'it failed (UNABLE_TO_VERIFY_LEAF_SIGNATURE)'],
  [coded(`for ${SECRET}`), 'it failed without a code'],
  [new Error('timeout exceeded when trying to connect'), 'no response in time'],
  [new Error('Connection terminated unexpectedly'), 'no response in time'],
  [new Error('The server does not support SSL connections'), 'the server does not speak TLS'],
  [new Error(SECRET), 'it failed without a code'],
  [SECRET, 'it failed without a code'],
])('%p is described as "%s", without its message', (error, expected) => {
  expect(describeFailure(error)).toBe(expected);
});
