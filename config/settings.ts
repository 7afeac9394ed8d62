// Reads the environment, checks it, and makes the settings of a process.
import type { KeyObject } from 'node:crypto';
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
import { checkNames } from './check-names';
import { findUnsafe, findWeak } from './check-safety';
import * as field from './fields';
import type { ApiKey, ApiRole, EncryptionKey, TimeOfDay } from './fields';
import { readValues, type Environment } from './read-values';

export type Profile = 'development' | 'test' | 'production';

/** The settings from the environment, read and checked once at the start (S14). */
export interface Settings {
  readonly profile: Profile;
  readonly logLevel: string;
  readonly port: number;
  /** The address that the HTTP server listens at; null: every address of this host. */
  readonly host: string | null;
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
  /** When the day before is reconciled, in Beijing; null: only by hand. */
  readonly reconcileAt: TimeOfDay | null;
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
  /** The parts of the api that an api process runs. */
  readonly apiRoles: ReadonlySet<ApiRole>;
  readonly buildId: string | null;
  /** Findings about variables that are accepted and weak. No line quotes a secret. */
  readonly warnings: readonly string[];
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
    ONCEPAY_HOST: field.host.optional(),
    DATABASE_URL: field.databaseUrl,
    TEMPORAL_ADDRESS: field.temporalAddress,
    WECHATPAY_BASE_URL: address.default('https://api.mch.weixin.qq.com'),
    ONCEPAY_ALLOW_BASE_URL: z.enum(['off', 'on'], 'must be off or on').default('off'),
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
    ONCEPAY_RECONCILE_AT: field.reconcileAt.default({ hour: 10, minute: 30 }),
    ONCEPAY_SHARING_RATIO: field.percent.default(DEFAULT_SHARING.ratioPercent),
    ONCEPAY_SHARING_DELAY: field.sharingDelay.default(DEFAULT_SHARING.delayMs),
    ONCEPAY_UNFREEZE_AFTER: field.unfreezeAfter.default(DEFAULT_SHARING.unfreezeAfterMs),
    ONCEPAY_TWO_PERSON_FEN: field.fenLimit.default(fen(DEFAULT_TWO_PERSON_FEN)),
    ONCEPAY_TASK_QUEUES: field.taskQueues.default(TASK_QUEUE_NAMES),
    ONCEPAY_API_ROLES: field.apiRoles.default(new Set(field.API_ROLES)),
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

/** All that is known about an environment. */
export interface EnvironmentFindings {
  /** Null when there are problems. */
  readonly settings: Settings | null;
  /** They stop the start. No line quotes a value. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Reads and checks an environment. A secret may also be given as the path of a file in
 * `<NAME>_FILE`. In production, whatever is unsafe is a problem; elsewhere it is a warning.
 */
export function checkEnvironment(env: Environment = process.env): EnvironmentFindings {
  const problems: string[] = [];
  const { values, names, unreadable, openToAll } = readValues(env, problems);
  const named = checkNames(names, ENVIRONMENT_NAMES);
  problems.push(...named.problems);
  const profile = readProfile(values, problems);
  const isProduction = profile === 'production';
  const parsed = schema(isProduction).safeParse(values);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const name = issue.path.join('.');
      if (unreadable.has(name)) continue;
      problems.push(values[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`);
    }
  }
  problems.push(...pairProblems(values, unreadable));
  // Empty must not mean "all": a process that was meant to have no role would take callbacks.
  if (env['ONCEPAY_API_ROLES'] === '') {
    problems.push('ONCEPAY_API_ROLES is empty: name its roles, or leave it out for all of them');
  }
  const temporal = readTemporal(values, problems);
  const unsafe = findUnsafe(values).filter((line) => !isReported(line, problems));
  if (isProduction) problems.push(...unsafe);
  const temporalHasTls = Boolean(temporal?.connection.tls);
  const weak = findWeak({ values, openToAll, temporalHasTls });
  const warnings = [...named.warnings, ...(isProduction ? [] : unsafe), ...weak];
  if (!parsed.success || temporal === null || problems.length > 0) {
    return { settings: null, problems: [...new Set(problems)], warnings };
  }
  const given = OVERRIDABLE.filter((name) => values[variableOf(name)] !== undefined);
  const settings = toSettings(profile, parsed.data, temporal, given);
  return { settings: { ...settings, warnings }, problems: [], warnings };
}

/**
 * Reads the settings, like {@link checkEnvironment}.
 * @throws ConfigurationError that names every missing or bad variable and quotes no value
 */
export function loadSettings(env: Environment = process.env): Settings {
  const { settings, problems } = checkEnvironment(env);
  if (settings) return settings;
  const list = problems.map((problem) => `  ${problem}`).join('\n');
  throw new ConfigurationError(`Correct these environment variables, then start again:\n${list}`);
}

/** True when the variable that a line begins with has a problem already. */
function isReported(line: string, problems: readonly string[]): boolean {
  const [name = ''] = line.split(' ');
  return problems.some((problem) => problem.startsWith(`${name} `));
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
  const { values } = readValues(pick(env, 'DATABASE_URL'), problems);
  const parsed = field.databaseUrl.safeParse(values['DATABASE_URL']);
  if (parsed.success && problems.length === 0) return parsed.data;
  const problem = parsed.error?.issues[0]?.message;
  const why = values['DATABASE_URL'] === undefined ? 'is missing' : problem;
  throw new ConfigurationError(problems[0] ?? `DATABASE_URL ${why ?? 'is missing'}`);
}

function pick(env: Environment, name: string): Environment {
  return { [name]: env[name], [`${name}_FILE`]: env[`${name}_FILE`] };
}

/** Not said means production: development and test have to be said. */
function readProfile(env: Environment, problems: string[]): Profile {
  const value = env['NODE_ENV'] ?? 'production';
  if (value === 'development' || value === 'test' || value === 'production') return value;
  problems.push('NODE_ENV must be development, test or production');
  return 'production';
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
): Omit<Settings, 'warnings'> {
  return {
    profile,
    logLevel: env.ONCEPAY_LOG_LEVEL ?? DEFAULT_LOG_LEVEL[profile],
    port: env.PORT,
    host: env.ONCEPAY_HOST ?? null,
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
    reconcileAt: env.ONCEPAY_RECONCILE_AT,
    sharing: {
      ratioPercent: env.ONCEPAY_SHARING_RATIO,
      delayMs: env.ONCEPAY_SHARING_DELAY,
      unfreezeAfterMs: env.ONCEPAY_UNFREEZE_AFTER,
    },
    queryGapsMs: env.ONCEPAY_QUERY_SCHEDULE,
    given,
    taskQueues: env.ONCEPAY_TASK_QUEUES,
    apiRoles: env.ONCEPAY_API_ROLES,
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
