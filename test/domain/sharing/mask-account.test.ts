// Tests how much of an account is shown.
import { maskAccount } from '../../../domain/sharing/mask-account';

test.each([
  ['oUpF8uMuAJO_M2pxb1Q9zNjWeS6o', 'oUpF***eS6o'],
  ['1900000109', '190***109'],
  ['1900', '1***0'],
  ['19', '***'],
  ['', '***'],
])('the account %j is shown as %j', (account, expected) => {
  expect(maskAccount(account)).toBe(expected);
});
