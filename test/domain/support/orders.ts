// Arbitrary parts of order numbers for tests.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { CHANNEL_NAMES } from '../../../domain/orders/channels';
import { SEQUENCE_SIZE, shanghaiDay, userHashDigits } from '../../../domain/orders/order-number';

/** The six digits of a user, as production makes them. */
export function userHashOf(userId: string): string {
  return userHashDigits(createHmac('sha256', 'a key of the tests').update(userId).digest());
}

/** Everything an order number can be made of. */
export const orderParts = fc.record({
  day: fc
    .integer({ min: Date.parse('2020-01-01T00:00:00Z'), max: Date.parse('2099-12-31T00:00:00Z') })
    .map(shanghaiDay),
  channel: fc.constantFrom(...CHANNEL_NAMES),
  sequence: fc.integer({ min: 0, max: SEQUENCE_SIZE - 1 }),
  userHash: fc.string({ minLength: 1 }).map(userHashOf),
});
