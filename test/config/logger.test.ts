// Tests that log entries keep their shape and never contain a secret.
import fc from 'fast-check';
import { createLogger, type Logger } from '../../config/logger';

/** The lines that `log` writes, one object a line. */
function linesOf(log: (logger: Logger) => void, level = 'info'): Record<string, unknown>[] {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  log(createLogger({ level, service: 'api', destination }));
  return lines.map((line): Record<string, unknown> => {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed !== 'object' || parsed === null) throw new Error(`not an object: ${line}`);
    return { ...parsed };
  });
}

const SECRET = 'a-value-nobody-may-read';

const SECRET_NAMES = [
  'authorization',
  'Authorization',
  'openid',
  'openidEncrypted',
  'sub_openid',
  'payer',
  'client_ip',
  'clientIp',
  'password',
  'secret',
  'webhookSecret',
  'apiKey',
  'API_V3_KEY',
  'apiV3Key',
  'merchantPrivateKey',
  'privateKey',
  'encryptionKeys',
  'hashKey',
  'token',
  'prepayToken',
  'paySign',
  'Wechatpay-Signature',
  'resource',
  'ciphertext',
  'plaintext',
  'headers',
  'body',
  'rawBody',
];

describe('a log entry', () => {
  test('a log entry is one line of JSON with time, level, service, process, event and ids', () => {
    const [line] = linesOf((logger) =>
      logger.info({ outTradeNo: 'N-1', found: 3 }, 'sweep.notices'),
    );
    expect(line).toEqual({
      level: 'info',
      time: line?.['time'],
      service: 'api',
      pid: process.pid,
      outTradeNo: 'N-1',
      found: 3,
      msg: 'sweep.notices',
    });
    expect(line?.['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  test('a log entry below the level is not written', () => {
    expect(linesOf((logger) => logger.info('api.listening'), 'warn')).toEqual([]);
  });

  test.each(SECRET_NAMES)('a field with the name %s is redacted at any depth', (name) => {
    for (let depth = 0; depth < 10; depth += 1) {
      let entry: Record<string, unknown> = { [name]: SECRET };
      for (let level = 0; level < depth; level += 1) entry = { inner: [entry] };
      const written = JSON.stringify(linesOf((logger) => logger.warn(entry, 'x')));
      expect(written).not.toContain(SECRET);
    }
  });

  test.each(['outTradeNo', 'notificationId', 'idempotencyKey', 'apiKeyName', 'kind', 'signal'])(
    'a field with the name %s is shown',
    (name) => {
      expect(linesOf((logger) => logger.info({ [name]: 'v' }, 'x'))).toMatchObject([
        { [name]: 'v' },
      ]);
    },
  );

  test('a secret in any document is redacted wherever it stands', () => {
    const plain = fc.string({ maxLength: 6 }).filter((name) => name !== '__proto__');
    const documents = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 5 },
        fc.dictionary(fc.constantFrom(...SECRET_NAMES), fc.constant(SECRET)),
        fc.dictionary(plain, tie('node'), { maxKeys: 3 }),
        fc.array(tie('node'), { maxLength: 3 }),
      ),
    })).node;
    fc.assert(
      fc.property(documents, (value) => {
        const lines = linesOf((logger) => logger.info({ value }, 'x'));
        expect(JSON.stringify(lines)).not.toContain(SECRET);
      }),
    );
  });
});

describe('an error in a log entry', () => {
  const failure = Object.assign(new TypeError('it broke', { cause: new Error(SECRET) }), {
    code: 'ECONNRESET',
    request: { url: SECRET, headers: { authorization: SECRET } },
    config: SECRET,
  });

  test.each([
    ['as err', (logger: Logger) => logger.error({ err: failure }, 'x')],
    ['as another field', (logger: Logger) => logger.error({ reason: failure }, 'x')],
    ['inside a list', (logger: Logger) => logger.error({ all: [{ failure }] }, 'x')],
    ['alone', (logger: Logger) => logger.error(failure)],
  ])(
    '%s keeps type, message, stack and code of an error, and drops its other properties',
    (_where, log) => {
      const written = JSON.stringify(linesOf(log));
      expect(written).not.toContain(SECRET);
      expect(written).toContain('"type":"TypeError","message":"it broke","stack":"    at ');
      expect(written).toContain('"code":"ECONNRESET"');
    },
  );

  test('the message of a logged error is cut at 1,000 characters', () => {
    const err = new Error('x'.repeat(5_000));
    expect(linesOf((logger) => logger.error({ err }, 'x'))).toMatchObject([
      { err: { message: 'x'.repeat(1_000) } },
    ]);
  });

  test.each<[string, string]>([
    ['a long message', `${'x'.repeat(5_000)}${SECRET}`],
    ['a message of several lines', `it broke\nbecause of ${SECRET}`],
    ['a message with a line like a frame', `it broke\n    at ${SECRET} (file.ts:1:1)`],
  ])('the stack of an error with %s has frames only', (_, message) => {
    const [line] = linesOf((logger) => logger.error({ err: new Error(message) }, 'x'));
    const { stack = '' } = line?.['err'] as { stack?: string };
    expect(stack).not.toContain(SECRET);
    expect(stack.split('\n')).toEqual(
      expect.arrayContaining([expect.stringMatching(/^ +at .*logger\.test\.ts:\d+:\d+/)]),
    );
    expect(stack.split('\n').every((frame) => /^ +at /.test(frame))).toBe(true);
  });

  test('a thrown value that is not an Error is not shown', () => {
    const lines = linesOf((logger) => logger.error({ err: SECRET }, 'x'));
    expect(lines).toMatchObject([{ err: { message: 'not an Error' } }]);
  });
});

test('bytes in a log entry are counted, not written', () => {
  const lines = linesOf((logger) => logger.info({ key: Buffer.from(SECRET) }, 'x'));
  expect(lines).toMatchObject([{ key: `[${SECRET.length} bytes]` }]);
});

test('a log entry that contains itself is cut off', () => {
  const entry: Record<string, unknown> = { id: 1 };
  entry['self'] = entry;
  expect(JSON.stringify(linesOf((logger) => logger.info(entry, 'x')))).toContain('[too deep]');
});
