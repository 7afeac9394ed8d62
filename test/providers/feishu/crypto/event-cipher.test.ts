// Decrypting Feishu's events.
import { decryptEvent } from '../../../../providers/feishu/crypto/event-cipher';

const ENCRYPTED = 'P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=';

test('the event that Feishu documents is decrypted with the documented key', () => {
  expect(decryptEvent(ENCRYPTED, 'test key')).toBe('hello world');
});

test.each([
  ['another key', ENCRYPTED, 'test kez'],
  ['no bytes', '', 'test key'],
  ['fewer bytes than an initialization vector', 'AAAA', 'test key'],
  ['a block that is cut', ENCRYPTED.slice(0, 30), 'test key'],
  ['text that is no Base64', '{"encrypt":1}', 'test key'],
])('an event with %s is not decrypted and does not throw', (_, encrypted, key) => {
  expect(decryptEvent(encrypted, key)).toBeNull();
});
