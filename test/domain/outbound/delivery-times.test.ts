// The times of an attempt to send deliveries fit into each other.
import {
  DELIVERY_TIMES_MS,
  LAST_SEND_MS,
  MAX_PER_ATTEMPT,
} from '../../../domain/outbound/delivery-times';

const { receiver, statement, record, heartbeat, attempt } = DELIVERY_TIMES_MS;

test('receivers and database as slow as they may be: all is sent in an attempt’s time', () => {
  const beforeLastSend = statement + (MAX_PER_ATTEMPT - 1) * (receiver + statement);
  expect(beforeLastSend).toBeLessThanOrEqual(LAST_SEND_MS);
  const afterLastSend = receiver + record + 5 * statement;
  expect(LAST_SEND_MS + afterLastSend).toBeLessThanOrEqual(attempt);
});

test('the record of an accepted delivery is tried again for longer than one try takes', () => {
  expect(record).toBeGreaterThan(3 * statement);
});

test('a worker that dies is noticed within the 60 s in which everything open goes on', () => {
  expect(heartbeat).toBeLessThanOrEqual(45_000);
  expect(heartbeat).toBeGreaterThan(receiver);
});
