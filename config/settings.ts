// Reads the environment, checks it, and makes the settings of a process.
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';
import { fen, type Fen } from '../domain/money';
import {
  DEFAULT_SHARING,
  DEFAULT_TWO_PERSON_FEN,
  RUNTIME_SETTING_NAMES,
  type RuntimeSettingName,
} from '../domain/settings/runtime-settings';
import { TASK_QUEUE_NAMES, type TaskQueue } from '../domain/temporal/task-queues';
import * as field from './fields';
import type { ApiKey, EncryptionKey } from './fields';

export type Profile = 'development' | 'test' | 'production';

/** The settings from the environment, read and checked once at the start (S14). */
export interface Settings {
  readonly profile: Profile;
  readonly logLevel: string;
  readonly port: number;
  readonly databaseUrl: string;
  readonly temporal: TemporalSettings;
  readonly wechatpay: WechatPaySettings;
  readonly apiKeys: readonly ApiKey[];
  readonly encryptionKeys: readonly EncryptionKey[];
  readonly hashKey: Buffer;
  readonly webhook: { readonly url: string; readonly secret: string } | null;
  /** The most that one person moves alone, in fen. */
  readonly twoPersonFen: Fen;
  /** A new order can be paid for so long, unless its request says otherwise. */
  readonly paymentWindowMs: number;
  /** Least time between the sending of two refunds of one payment (WeChat's transaction). */
  readonly refundSpacingMs: number;
  readonly patrolIntervalMs: number;
  readonly sharing: {
    /** The largest part of a payment that may be shared, in percent. */
    readonly ratioPercent: number;
    /** From the payment to the earliest sharing. */
    readonly delayMs: number;
    /** From the payment to the automatic unfreeze of the rest. */
    readonly unfreezeAfterMs: number;
  };
  /** See domain/orders/query-schedule.ts. */
  readonly queryGapsMs: readonly number[];
  /** The overridable settings that the environment sets; the others have their defaults. */
  readonly given: readonly RuntimeSettingName[];
  /** The task queues that a worker process serves. */
  readonly taskQueues: readonly TaskQueue[];
  readonly buildId: string | null;
}

export interface TemporalSettings {
  readonly connection: ReturnType<typeof loadClientConnectConfig>['connectionOptions'];
  readonly namespace: string;
}

export interface WechatPaySettings {
  readonly baseUrl: string;
  readonly appId: string;
  readonly merchantId: string;
  readonly merchantSerial: string;
  readonly merchantPrivateKey: KeyObject;
  /** The current key first; then the previous one, while the merchant changes keys. */
  readonly apiV3Keys: readonly Buffer[];
  readonly publicKey: { readonly id: string; readonly key: KeyObject } | null;
  readonly notifyUrl: string;
}

/** The environment is incomplete; the message names every missing or bad variable. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

type Environment = Readonly<Record<string, string | undefined>>;

interface FilledEnvironment {
  readonly values: Record<string, string>;
  /** Variables whose `_FILE` can't be read. That is reported once, not also as missing. */
  readonly unreadable: ReadonlySet<string>;
}

const SECRET = /^(WECHATPAY|ONCEPAY|FEISHU)_|^DATABASE_URL_FILE$|^TEMPORAL_API_KEY_FILE$/;
/** Names of `@temporalio/envconfig` that lead to files, or to a profile in one of them. */
const OF_TEMPORAL_FILES = /^TEMPORAL_(PROFILE|CONFIG_FILE|TLS_.+_(PATH|DATA))$/;
const DEFAULT_LOG_LEVEL = { development: 'info', test: 'warn', production: 'info' } as const;

function schema(production: boolean) {
  const address = field.url({ production, allowQuery: false });
  return z.object({
    ONCEPAY_LOG_LEVEL: z
      .enum(
        ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
        'must be trace, debug, info, warn, error or silent',
      )
      .optional(),
    PORT: field.port,
    DATABASE_URL: field.databaseUrl,
    TEMPORAL_ADDRESS: field.temporalAddress,
    WECHATPAY_BASE_URL: address.default('https://api.mch.weixin.qq.com'),
    WECHATPAY_APP_ID: field.text(/^\w{1,32}$/, 'must be 1–32 letters, digits or underscores'),
    WECHATPAY_MERCHANT_ID: field.text(/^\d{1,32}$/, 'must be 1–32 digits'),
    WECHATPAY_MERCHANT_SERIAL: field.text(
      /^[\w-]{1,64}$/,
      'must be 1–64 letters, digits, hyphens or underscores',
    ),
    WECHATPAY_MERCHANT_PRIVATE_KEY: field.privateKey,
    WECHATPAY_API_V3_KEY: field.apiV3Key,
    WECHATPAY_API_V3_KEY_PREVIOUS: field.apiV3Key.optional(),
    WECHATPAY_PUBLIC_KEY_ID: field
      .text(/^PUB_KEY_ID_[\w-]{1,64}$/, 'must start with PUB_KEY_ID_')
      .optional(),
    WECHATPAY_PUBLIC_KEY: field.publicKey.optional(),
    WECHATPAY_NOTIFY_URL: address,
    ONCEPAY_API_KEYS: field.apiKeys,
    ONCEPAY_ENCRYPTION_KEYS: field.encryptionKeys,
    ONCEPAY_HASH_KEY: field.hashKey,
    ONCEPAY_WEBHOOK_URL: field.url({ production, allowQuery: true }).optional(),
    ONCEPAY_WEBHOOK_SECRET: field.webhookSecret.optional(),
    ONCEPAY_PAYMENT_WINDOW: field.paymentWindow.default(30 * 60_000),
    ONCEPAY_QUERY_SCHEDULE: field.durations.default([30_000, 60_000, 120_000, 300_000, 600_000]),
    ONCEPAY_REFUND_SPACING: field.refundSpacing.default(60_000),
    ONCEPAY_PATROL_INTERVAL: field.patrolInterval.default(5 * 60_000),
    ONCEPAY_SHARING_RATIO: field.percent.default(DEFAULT_SHARING.ratioPercent),
    ONCEPAY_SHARING_DELAY: field.sharingDelay.default(DEFAULT_SHARING.delayMs),
    ONCEPAY_UNFREEZE_AFTER: field.unfreezeAfter.default(DEFAULT_SHARING.unfreezeAfterMs),
    ONCEPAY_TWO_PERSON_FEN: field.fenLimit.default(fen(DEFAULT_TWO_PERSON_FEN)),
    ONCEPAY_TASK_QUEUES: field.taskQueues.default(TASK_QUEUE_NAMES),
    ONCEPAY_BUILD_ID: field
      .text(/^[\w.-]{1,128}$/, 'must be 1–128 letters, digits, hyphens, dots or underscores')
      .optional(),
  });
}

/** Every variable that is read here. `@temporalio/envconfig` reads further ones of `TEMPORAL_…`. */
export const ENVIRONMENT_NAMES: readonly string[] = [
  'NODE_ENV',
  ...Object.keys(schema(false).shape),
];

/**
 * Reads the settings. A secret may also be given as the path of a file in `<NAME>_FILE`.
 * @throws ConfigurationError that names every missing or bad variable and quotes no value
 */
export function loadSettings(env: Environment = process.env): Settings {
  const problems: string[] = [];
  const { values, unreadable } = withFiles(env, problems);
  const profile = readProfile(values, problems);
  const parsed = schema(profile === 'production').safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = issue.path.join('.');
      if (unreadable.has(name)) continue;
      problems.push(values[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`);
    }
  }
  problems.push(...pairProblems(values, unreadable));
  const temporal = readTemporal(values, problems);
  if (!parsed.success || temporal === null || problems.length > 0) {
    const list = [...new Set(problems)].map((problem) => `  ${problem}`).join('\n');
    throw new ConfigurationError(`Correct these environment variables, then start again:\n${list}`);
  }
  const given = OVERRIDABLE.filter((name) => values[variableOf(name)] !== undefined);
  return toSettings(profile, parsed.data, temporal, given);
}

const variableOf = (name: RuntimeSettingName) => `ONCEPAY_${name.toUpperCase()}`;

/** The settings whose defaults come from a variable of the environment. */
const OVERRIDABLE: readonly RuntimeSettingName[] = RUNTIME_SETTING_NAMES.filter((name) =>
  ENVIRONMENT_NAMES.includes(variableOf(name)),
);

/**
 * Reads `DATABASE_URL` (or `DATABASE_URL_FILE`) alone, for the migrations.
 * @throws ConfigurationError when it is missing or bad
 */
export function loadDatabaseUrl(env: Environment = process.env): string {
  const problems: string[] = [];
  const { values } = withFiles(pick(env, 'DATABASE_URL'), problems);
  const parsed = field.databaseUrl.safeParse(values['DATABASE_URL']);
  if (parsed.success && problems.length === 0) return parsed.data;
  const problem = parsed.error?.issues[0]?.message;
  const why = values['DATABASE_URL'] === undefined ? 'is missing' : problem;
  throw new ConfigurationError(problems[0] ?? `DATABASE_URL ${why ?? 'is missing'}`);
}

function pick(env: Environment, name: string): Environment {
  return { [name]: env[name], [`${name}_FILE`]: env[`${name}_FILE`] };
}

function readProfile(env: Environment, problems: string[]): Profile {
  const value = env['NODE_ENV'] ?? 'development';
  if (value === 'development' || value === 'test' || value === 'production') return value;
  problems.push('NODE_ENV must be development, test or production');
  return 'production';
}

/**
 * Drops empty variables, which count as missing, and fills X from `X_FILE` with the file's text
 * without its last line break.
 */
function withFiles(env: Environment, problems: string[]): FilledEnvironment {
  const values: Record<string, string> = {};
  const unreadable = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && value !== '') values[name] = value;
  }
  for (const [fileName, path] of Object.entries(values)) {
    if (!fileName.endsWith('_FILE') || !SECRET.test(fileName)) continue;
    const name = fileName.slice(0, -'_FILE'.length);
    if (values[name] !== undefined)
      problems.push(`${name} and ${fileName} are both set: remove one of them`);
    else {
      try {
        values[name] = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
      } catch {
        problems.push(`${fileName} names a file that can't be read`);
        unreadable.add(name);
      }
    }
  }
  return { values, unreadable };
}

function pairProblems(values: Environment, unreadable: ReadonlySet<string>): string[] {
  const pairs = [
    ['WECHATPAY_PUBLIC_KEY_ID', 'WECHATPAY_PUBLIC_KEY'],
    ['ONCEPAY_WEBHOOK_URL', 'ONCEPAY_WEBHOOK_SECRET'],
  ] as const;
  const given = (name: string) => values[name] !== undefined || unreadable.has(name);
  return pairs
    .filter(([a, b]) => given(a) !== given(b))
    .map(([a, b]) => `${a} and ${b} must be set together`);
}

/**
 * Lets `@temporalio/envconfig` read its own variables. Its errors are replaced, because they would
 * quote paths and profiles.
 */
function readTemporal(values: Record<string, string>, problems: string[]): TemporalSettings | null {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({ overrideEnvVars: values });
    return { connection: connectionOptions, namespace: namespace ?? 'default' };
  } catch {
    const names = Object.keys(values).filter((name) => OF_TEMPORAL_FILES.test(name));
    problems.push(
      `${names.join(', ') || 'TEMPORAL_CONFIG_FILE'} can't be read, or contradict each other`,
    );
    return null;
  }
}

function toSettings(
  profile: Profile,
  env: z.output<ReturnType<typeof schema>>,
  temporal: TemporalSettings,
  given: readonly RuntimeSettingName[],
): Settings {
  return {
    profile,
    logLevel: env.ONCEPAY_LOG_LEVEL ?? DEFAULT_LOG_LEVEL[profile],
    port: env.PORT,
    databaseUrl: env.DATABASE_URL,
    temporal,
    wechatpay: wechatPaySettings(env),
    apiKeys: env.ONCEPAY_API_KEYS,
    encryptionKeys: env.ONCEPAY_ENCRYPTION_KEYS,
    hashKey: env.ONCEPAY_HASH_KEY,
    webhook:
      env.ONCEPAY_WEBHOOK_URL !== undefined && env.ONCEPAY_WEBHOOK_SECRET !== undefined
        ? { url: env.ONCEPAY_WEBHOOK_URL, secret: env.ONCEPAY_WEBHOOK_SECRET }
        : null,
    twoPersonFen: env.ONCEPAY_TWO_PERSON_FEN,
    paymentWindowMs: env.ONCEPAY_PAYMENT_WINDOW,
    refundSpacingMs: env.ONCEPAY_REFUND_SPACING,
    patrolIntervalMs: env.ONCEPAY_PATROL_INTERVAL,
    sharing: {
      ratioPercent: env.ONCEPAY_SHARING_RATIO,
      delayMs: env.ONCEPAY_SHARING_DELAY,
      unfreezeAfterMs: env.ONCEPAY_UNFREEZE_AFTER,
    },
    queryGapsMs: env.ONCEPAY_QUERY_SCHEDULE,
    given,
    taskQueues: env.ONCEPAY_TASK_QUEUES,
    buildId: env.ONCEPAY_BUILD_ID ?? null,
  };
}

function wechatPaySettings(env: z.output<ReturnType<typeof schema>>): WechatPaySettings {
  const { WECHATPAY_PUBLIC_KEY_ID: id, WECHATPAY_PUBLIC_KEY: key } = env;
  const previous = env.WECHATPAY_API_V3_KEY_PREVIOUS;
  return {
    baseUrl: env.WECHATPAY_BASE_URL.replace(/\/$/, ''),
    appId: env.WECHATPAY_APP_ID,
    merchantId: env.WECHATPAY_MERCHANT_ID,
    merchantSerial: env.WECHATPAY_MERCHANT_SERIAL,
    merchantPrivateKey: env.WECHATPAY_MERCHANT_PRIVATE_KEY,
    apiV3Keys: [env.WECHATPAY_API_V3_KEY, ...(previous ? [previous] : [])],
    publicKey: id !== undefined && key !== undefined ? { id, key } : null,
    notifyUrl: env.WECHATPAY_NOTIFY_URL,
  };
}
