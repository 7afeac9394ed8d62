// Signatures of Feishu's events and of messages to a group's bot.
import { createHash } from 'node:crypto';
import { signForBot, verifyEvent } from '../../../../providers/feishu/crypto/signatures';

const KEY = 'an encrypt key';
const SECONDS = 1_757_900_000;
const BODY = '{"encrypt": "AAAA" }';

const signed = (timestamp: string, body = BODY) => ({
  timestamp,
  nonce: 'n0',
  rawBody: Buffer.from(body),
  signature: createHash('sha256')
    .update(timestamp + 'n0' + KEY + body)
    .digest('hex'),
});
const verify = (event: ReturnType<typeof signed>) =>
  verifyEvent(event, { encryptKey: KEY, nowMs: SECONDS * 1000 });
const fresh = signed(String(SECONDS));

test('the message that Feishu documents for a bot gets the documented signature', () => {
  const signature = signForBot(1_757_900_000, 'lark-test-secret');
  expect(signature).toBe('rWW3ygiAdSmKEIysYTVjbdbv4Xnqjn35pAGLgGJZsNg=');
});

test.each([
  ['signed over the raw body', fresh, 'genuine'],
  ['signed in capitals', { ...fresh, signature: fresh.signature.toUpperCase() }, 'genuine'],
  ['of 300 s ago', signed(String(SECONDS - 300)), 'genuine'],
  ['of 301 s ago', signed(String(SECONDS - 301)), 'stale'],
  ['of 301 s ahead', signed(String(SECONDS + 301)), 'stale'],
  ['with a time that is no number', signed('soon'), 'stale'],
  [
    'whose body was written anew',
    { ...fresh, rawBody: Buffer.from('{"encrypt":"AAAA"}') },
    'forged',
  ],
  ['with another nonce', { ...fresh, nonce: 'n1' }, 'forged'],
  ['with another time', { ...fresh, timestamp: String(SECONDS + 1) }, 'forged'],
  ['without a signature', { ...fresh, signature: '' }, 'forged'],
  ['with half a signature', { ...fresh, signature: fresh.signature.slice(0, 32) }, 'forged'],
  ['with zeros for a signature', { ...fresh, signature: '0'.repeat(64) }, 'forged'],
] as const)('an event %s is judged by its signature, then by its age', (_, event, expected) => {
  expect(verify(event)).toBe(expected);
});
