// Tests the public names: channels, error codes, reasons, task queues.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { CHANNEL_NAMES, CHANNELS, PREPAY_LIFE_MS } from '../../domain/orders/channels';
import { isErrorCode } from '../../domain/error-catalogue';
import {
  INTERVENTION_REASONS,
  isInterventionReason,
  PAUSING_REASONS,
} from '../../domain/interventions/reasons';
import { RETRY_OPERATIONS } from '../../domain/retries/retry-policy';
import { TASK_QUEUE_NAMES } from '../../domain/temporal/task-queues';

describe('the channels', () => {
  // Digits, API of WeChat Pay, needs an openid, needs the client's address, life of its prepay in
  // minutes.
  test.each([
    ['miniprogram', '01', 'jsapi', true, false, 120],
    ['h5', '02', 'h5', false, true, 5],
    ['app', '03', 'app', false, false, 120],
    ['admin', '04', 'native', false, false, 120],
    ['official_account', '05', 'jsapi', true, false, 120],
  ] as const)(
    'the channel %s has digits %s and API %s, needs openid %s, client ip %s, and lasts %d min',
    (name, ...expected) => {
      const { digits, api, needsOpenid, needsClientIp } = CHANNELS[name];
      const minutes = PREPAY_LIFE_MS[api] / 60_000;
      expect([digits, api, needsOpenid, needsClientIp, minutes]).toEqual(expected);
    },
  );

  test('the channels are these five, each with its own digits', () => {
    expect(CHANNEL_NAMES).toHaveLength(5);
    expect(new Set(CHANNEL_NAMES.map((name) => CHANNELS[name].digits)).size).toBe(5);
  });
});

describe('names that come from outside', () => {
  test.each([
    ['VALIDATION_ERROR', true],
    ['INTERNAL_ERROR', true],
    ['validation_error', false],
    ['toString', false],
    ['__proto__', false],
    ['', false],
    [null, false],
    [400, false],
  ])('the text %j is accepted as an error code: %s', (value, expected) => {
    expect(isErrorCode(value)).toBe(expected);
  });

  test.each([
    ['amount_mismatch', true],
    ['no_codes', true],
    ['AMOUNT_MISMATCH', false],
    ['constructor', false],
    [null, false],
  ])('the text %j is accepted as a reason of an intervention: %s', (value, expected) => {
    expect(isInterventionReason(value)).toBe(expected);
  });
});

test('queries and expiry pause only while an intervention about a mismatch is open', () => {
  expect(PAUSING_REASONS).toEqual(['amount_mismatch', 'identity_mismatch']);
  expect(PAUSING_REASONS.every((reason) => INTERVENTION_REASONS.includes(reason))).toBe(true);
});

test('each retry operation is named by an activity, by the database or by a worker', () => {
  const text = ['activities', 'database', 'workers']
    .flatMap((folder) =>
      readdirSync(join(packageRoot(), folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(packageRoot(), folder, name), 'utf8')),
    )
    .join('\n');
  expect(RETRY_OPERATIONS.filter((operation) => !text.includes(`'${operation}'`))).toEqual([]);
});

test('the task queues are the five public names', () => {
  expect(TASK_QUEUE_NAMES.toSorted()).toEqual([
    'oncepay-orders',
    'oncepay-outbound',
    'oncepay-wechatpay',
    'oncepay-wechatpay-money',
    'oncepay-wechatpay-query',
  ]);
});
