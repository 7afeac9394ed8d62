// Reading and replacing retry policies.
import { DEFAULT_POLICIES, RETRY_OPERATIONS } from '../../../domain/retries/retry-policy';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

interface Policy {
  readonly operation: string;
  readonly version: number;
  readonly max_attempts: number;
  readonly updated_by: string;
}

const PATH = '/v1/retry-policies/notification.message';

async function policy(path = PATH): Promise<Policy & Record<string, unknown>> {
  const { status, body } = await oncepay.call('GET', path);
  expect(status).toBe(200);
  return body as Policy & Record<string, unknown>;
}

test('a new database has the policies of domain/retries from the migration', async () => {
  const { body } = await oncepay.call('GET', '/v1/retry-policies', { as: 'viewer' });
  const { data } = body as { data: (Policy & Record<string, unknown>)[] };
  expect(data.map(({ operation }) => operation)).toEqual([...RETRY_OPERATIONS].sort());
  for (const seeded of data) {
    const expected = DEFAULT_POLICIES[seeded.operation as keyof typeof DEFAULT_POLICIES];
    expect(seeded).toEqual({
      operation: seeded.operation,
      base_delay_ms: expected.baseDelayMs,
      factor: expected.factor,
      jitter: expected.jitter,
      max_delay_ms: expected.maxDelayMs,
      max_attempts: expected.maxAttempts,
      retryable_codes: expected.retryableCodes,
      non_retryable_codes: expected.nonRetryableCodes,
      version: 1,
      updated_by: 'migration',
      updated_at: expect.any(String) as string,
    });
  }
});

test('a policy that was read can be put back; each change is versioned and audited', async () => {
  const before = await policy();
  const same = await oncepay.call('PUT', PATH, { body: before });
  expect([same.status, same.body]).toMatchObject([200, { version: before.version + 1 }]);
  const changed = await oncepay.call('PUT', PATH, {
    body: { ...(same.body as object), max_attempts: 3, jitter: 0, factor: 1.5 },
  });
  const after = await policy();
  expect(changed.body).toEqual(after);
  expect(after).toMatchObject({ max_attempts: 3, jitter: 0, version: before.version + 2 });
  expect(after.updated_by).not.toBe('migration');
  const { rows } = await oncepay.sql.query<Record<string, unknown>>(
    `SELECT actor, role, action, subject, details FROM audit_log
     WHERE subject = 'notification.message' ORDER BY id DESC LIMIT 1`,
  );
  expect(rows).toEqual([
    {
      actor: after.updated_by,
      role: 'admin',
      action: 'retry_policy.put',
      subject: 'notification.message',
      details: {
        before: expect.objectContaining({ max_attempts: 10, factor: 3, version: 2 }) as object,
        after: expect.objectContaining({ max_attempts: 3, factor: 1.5, version: 3 }) as object,
      },
    },
  ]);
});

test('a change of an older version is refused, one without a version accepted', async () => {
  const read = await policy();
  const [first, second] = await Promise.all([
    oncepay.call('PUT', PATH, { body: { ...read, max_attempts: 7 } }),
    oncepay.call('PUT', PATH, { body: { ...read, max_attempts: 8 } }),
  ]);
  expect([first.status, second.status].sort()).toEqual([200, 409]);
  const refused = first.status === 409 ? first : second;
  expectProblem(refused, 409, 'version');
  expect(refused.body).toMatchObject({ code: 'VERSION_CONFLICT' });
  const { version: _version, ...rest } = read;
  const reply = await oncepay.call('PUT', PATH, { body: { ...rest, max_attempts: 9 } });
  expect(reply.body).toMatchObject({ max_attempts: 9, version: read.version + 2 });
});

test.each<[string, unknown, string]>([
  ['base_delay_ms', 0, 'base_delay_ms'],
  ['base_delay_ms', -1, 'base_delay_ms'],
  ['base_delay_ms', 1.5, 'base_delay_ms'],
  ['base_delay_ms', '1000', 'base_delay_ms'],
  ['base_delay_ms', null, 'base_delay_ms'],
  ['base_delay_ms', undefined, 'base_delay_ms'],
  ['base_delay_ms', 86_400_000, 'base_delay_ms'],
  ['max_delay_ms', 86_400_001, 'max_delay_ms'],
  ['max_delay_ms', 0, 'max_delay_ms'],
  ['max_delay_ms', 1e300, 'max_delay_ms'],
  ['factor', 0.99, 'factor'],
  ['factor', 10.01, 'factor'],
  ['factor', '2', 'factor'],
  ['jitter', -0.01, 'jitter'],
  ['jitter', 1.01, 'jitter'],
  ['max_attempts', 0, 'max_attempts'],
  ['max_attempts', 101, 'max_attempts'],
  ['max_attempts', 2.5, 'max_attempts'],
  ['retryable_codes', [], 'retryable_codes'],
  ['retryable_codes', 'TIMEOUT', 'retryable_codes'],
  ['retryable_codes', ['TIMEOUT', 'NO_SUCH_CODE'], 'retryable_codes[1]'],
  ['retryable_codes', ['TIMEOUT', 'toString'], 'retryable_codes[1]'],
  ['retryable_codes', ['TIMEOUT', 'TIMEOUT'], 'retryable_codes[1]'],
  ['non_retryable_codes', ['CODE_TAKEN', 'TIMEOUT'], 'non_retryable_codes[1]'],
  ['non_retryable_codes', null, 'non_retryable_codes'],
  ['version', -1, 'version'],
  ['version', 'one', 'version'],
  ['operation', 'wechat.query', 'operation'],
  ['unknown', 1, 'unknown'],
])('a policy with %s of %p is refused with 400 and names %s', async (field, value, named) => {
  const read = await policy();
  const rows = await countRows(oncepay.sql);
  const reply = await oncepay.call('PUT', PATH, { body: { ...read, [field]: value } });
  expectProblem(reply, 400, named);
  expect(await policy()).toEqual(read);
  expect(await countRows(oncepay.sql)).toEqual(rows);
});

test('an unknown operation is refused with 404, to read and to change', async () => {
  const body = await policy();
  expectProblem(await oncepay.call('GET', '/v1/retry-policies/wechat.nothing'), 404);
  expectProblem(await oncepay.call('PUT', '/v1/retry-policies/wechat.nothing', { body }), 404);
  expectProblem(await oncepay.call('GET', '/v1/retry-policies/toString'), 404);
});
