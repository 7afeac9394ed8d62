// Tests which order numbers of a bill belong to another system.
import { makeOrderNumber } from '../../../domain/orders/order-number';
import { isForeignNumber } from '../../../domain/reconciliation/foreign-numbers';

const OURS = makeOrderNumber({
  day: '20261129',
  channel: 'h5',
  sequence: 7,
  userHash: 'ABC123',
});
const wrongDigits = `${OURS.slice(0, 20)}${OURS.endsWith('97') ? '02' : '97'}`;

test.each([
  ['a number of ours', OURS, [], false],
  ['one with wrong check digits', wrongDigits, [], true],
  ['one in lower case', OURS.toLowerCase(), [], true],
  ['a number of another system', 'POS-2026-0001', [], true],
  ['22 digits of another system', '1217752501201407033233', [], true],
  ['no number at all', null, [], true],
  ['a number of ours with a foreign prefix', OURS, ['2026'], true],
  ['a number of ours with another prefix', OURS, ['2025', 'POS'], false],
] as const)('%s is foreign: see the last column', (_title, number, prefixes, expected) => {
  expect(isForeignNumber(number, prefixes)).toBe(expected);
});
