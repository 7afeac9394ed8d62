// Each kind of reply of Feishu, and the outcome it makes.
import { readOutcome } from '../../../../providers/feishu/calls/outcome';

const reply = (json: Record<string, unknown> | null, status = 200, resetMs: number | null = null) =>
  ({ kind: 'responded', status, json, logId: 'log-1', resetMs }) as const;
const read = (json: Readonly<Record<string, unknown>>) =>
  json['data'] === undefined ? null : { value: json['data'] };

test.each([
  ['code 0 and a value', reply({ code: 0, data: 1 }), 'ok'],
  ['code 0 without the value', reply({ code: 0 }), 'unknown'],
  ['no code', reply({ data: 1 }), 'unknown'],
  ['no JSON', reply(null, 502), 'unknown'],
  ['a wrong path', reply(null, 404), 'refused'],
  ['no reply', { kind: 'failed', detail: 'ECONNRESET' } as const, 'unknown'],
  ['a refused token with HTTP 200', reply({ code: 99991663 }), 'token'],
  ['a refused token with HTTP 400', reply({ code: 99991664 }, 400), 'token'],
  ['too many calls', reply({ code: 99991400 }, 429), 'rate_limited'],
  ["the month's quota", reply({ code: 99991403 }, 400), 'quota_spent'],
  ['too many writes', reply({ code: 1254290 }), 'retryable'],
  ['a write conflict', reply({ code: 1254291 }), 'retryable'],
  ['data that is not ready', reply({ code: 1254607 }, 400), 'retryable'],
  ['an internal failure', reply({ code: 1255001 }), 'retryable'],
  ['a timeout of Feishu', reply({ code: 1255040 }, 504), 'retryable'],
  ['a used client_token', reply({ code: 1255006 }), 'client_token_used'],
  ['a renamed column', reply({ code: 1254045 }), 'refused'],
  ['a full table', reply({ code: 1254103 }), 'refused'],
  ['missing rights', reply({ code: 91403 }, 403), 'refused'],
  ['a wrong secret with HTTP 200', reply({ code: 10014 }), 'refused'],
] as const)('%s makes its own outcome', (_, response, expected) => {
  expect(readOutcome(response, read).kind).toBe(expected);
});

test('a limited call waits until the reset that Feishu names, else a second', () => {
  const named = readOutcome(reply({ code: 99991400 }, 429, 7_000), read);
  const unnamed = readOutcome(reply({ code: 99991400 }, 429), read);
  expect([named, unnamed]).toMatchObject([{ waitMs: 7_000 }, { waitMs: 1_000 }]);
});

test('a refusal keeps the log id, the code and one line of the message', () => {
  const outcome = readOutcome(reply({ code: 1254045, msg: 'FieldName\nNotFound' }), read);
  expect(outcome).toEqual({
    kind: 'refused',
    code: 1254045,
    message: 'FieldName NotFound',
    logId: 'log-1',
    waitMs: null,
  });
});
