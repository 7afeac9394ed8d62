// Finds values that are well-formed and unsafe: production refuses them, or they are warned about.
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { z } from 'zod';
import { personOf } from '../domain/clients/person';
import { readDatabaseUrl } from '../domain/settings/database-url';
import * as field from './fields';
import { PUBLISHED_SECRETS } from './published-secrets';

type Values = Readonly<Record<string, string>>;
/** Returns what is wrong, each beginning with the variable's name; no message quotes a secret. */
type Rule = (values: Values) => readonly string[];

const MIN_SECRET_CHARACTERS = 32;
const MIN_RSA_BITS = 2_048;
/** `Authorization: Bearer <secret>` of the api takes these, and no others. */
const SENDABLE = /^[\x21-\x7e]{1,512}$/;
/** WeChat Pay's own address, and the second one that it documents for outages of the first. */
const WECHAT_HOSTS = ['api.mch.weixin.qq.com', 'api2.mch.weixin.qq.com'];
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

const ENCRYPTION = 'ONCEPAY_ENCRYPTION_KEYS';

/** A value that passes its field's own check; a bad one has its own message already. */
function readField<T extends z.ZodType>(schema: T, value: string | undefined): z.output<T> | null {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** The API keys with their secrets, which the settings keep as hashes only. */
function readApiKeys(values: Values): { name: string; role: string; secret: string }[] {
  const text = values['ONCEPAY_API_KEYS'] ?? '';
  if (readField(field.apiKeys, text) === null) return [];
  return text.split(',').map((entry) => {
    const [name = '', role = '', ...rest] = entry.trim().split(':');
    return { name, role, secret: rest.join(':') };
  });
}

/** Every secret that a person makes, with the variable that it stands in. */
function readSecrets(values: Values): { name: string; text: string; bytes: Buffer }[] {
  const names = [
    'ONCEPAY_HASH_KEY',
    'ONCEPAY_WEBHOOK_SECRET',
    'WECHATPAY_API_V3_KEY',
    'WECHATPAY_API_V3_KEY_PREVIOUS',
  ];
  const texts = names.flatMap((name) => {
    const text = values[name];
    return text === undefined ? [] : [{ name, text: text.replace(/^whsec_/, '') }];
  });
  const keys = (readField(field.encryptionKeys, values[ENCRYPTION]) ?? []).map(({ key }) => ({
    name: ENCRYPTION,
    text: key.toString('base64'),
  }));
  const clients = readApiKeys(values).map(({ secret }) => ({
    name: 'ONCEPAY_API_KEYS',
    text: secret,
  }));
  return [...texts, ...keys, ...clients].map(({ name, text }) => {
    const isEncoded = name === ENCRYPTION || name === 'ONCEPAY_WEBHOOK_SECRET';
    return { name, text, bytes: Buffer.from(text, isEncoded ? 'base64' : 'utf8') };
  });
}

function apiKeys(values: Values): string[] {
  const keys = readApiKeys(values);
  if (keys.length === 0) return [];
  const short = keys.filter(({ secret }) => secret.length < MIN_SECRET_CHARACTERS);
  const unsendable = keys.filter(({ secret }) => !SENDABLE.test(secret));
  const names = [...new Set(keys.map(({ name }) => name))];
  const persons = new Set(names.map((name) => personOf({ name })));
  const say = (wrong: typeof keys, message: string) =>
    wrong.length === 0
      ? []
      : [`ONCEPAY_API_KEYS ${message} (${wrong.map(({ name }) => name).join(', ')})`];
  return [
    ...say(short, `must have at least ${MIN_SECRET_CHARACTERS} characters in each secret`),
    ...say(unsendable, 'must have secrets of visible ASCII characters, at most 512 in each'),
    ...(keys.some(({ role }) => role === 'admin')
      ? []
      : ['ONCEPAY_API_KEYS must have a key with the role admin']),
    ...(persons.size < names.length
      ? ['ONCEPAY_API_KEYS must not have names that differ only by case']
      : []),
  ];
}

function hashKey({ ONCEPAY_HASH_KEY: text }: Values): string[] {
  const known = readField(field.hashKey, text);
  return known && (text ?? '').length < MIN_SECRET_CHARACTERS
    ? [`ONCEPAY_HASH_KEY must have at least ${MIN_SECRET_CHARACTERS} characters`]
    : [];
}

function published(values: Values): string[] {
  const bare = PUBLISHED_SECRETS.map((secret) => secret.replace(/^whsec_/, ''));
  return readSecrets(values)
    .filter(({ text }) => bare.includes(text))
    .map(({ name }) => `${name} must not be a secret that stands in Oncepay's public repository`);
}

function repeatedByte(values: Values): string[] {
  return readSecrets(values)
    .filter(({ bytes }) => bytes.length > 1 && bytes.every((byte) => byte === bytes[0]))
    .map(({ name }) => `${name} must be random, not one byte repeated`);
}

function sameValue(values: Values): string[] {
  const secrets = readSecrets(values);
  return secrets.flatMap(({ name, text }, index) => {
    const earlier = secrets.slice(0, index).find((other) => other.text === text);
    if (earlier === undefined) return [];
    return earlier.name === name
      ? [`${name} must not have one key twice`]
      : [`${name} must not have the value of ${earlier.name}`];
  });
}

function rsaKeys(values: Values): string[] {
  const own = readField(field.privateKey, values['WECHATPAY_MERCHANT_PRIVATE_KEY']);
  const theirs = readField(field.publicKey, values['WECHATPAY_PUBLIC_KEY']);
  const isShort = (key: KeyObject | null) =>
    key !== null && (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS;
  const bits = `must have at least ${MIN_RSA_BITS} bits`;
  const isSame = own !== null && theirs !== null && createPublicKey(own).equals(theirs);
  return [
    ...(isShort(own) ? [`WECHATPAY_MERCHANT_PRIVATE_KEY ${bits}`] : []),
    ...(isShort(theirs) ? [`WECHATPAY_PUBLIC_KEY ${bits}`] : []),
    ...(isSame
      ? ["WECHATPAY_PUBLIC_KEY must be WeChat Pay's key, not the public half of the merchant's"]
      : []),
  ];
}

function baseUrl({ WECHATPAY_BASE_URL: text, ONCEPAY_ALLOW_BASE_URL: allow }: Values): string[] {
  if (text === undefined || !URL.canParse(text) || allow === 'on') return [];
  const { protocol, host, pathname } = new URL(text);
  const isWechat = protocol === 'https:' && WECHAT_HOSTS.includes(host) && pathname === '/';
  return isWechat
    ? []
    : [
        'WECHATPAY_BASE_URL must be https://api.mch.weixin.qq.com; ' +
          'to send payments to another address, set ONCEPAY_ALLOW_BASE_URL=on',
      ];
}

/** The `sslmode` of the connection to the database; null where neither URL nor `PGSSLMODE` say. */
function sslMode(values: Values): string | null {
  const url = values['DATABASE_URL'] ?? '';
  if (readField(field.databaseUrl, url) === null) return null;
  const { connectionString } = readDatabaseUrl(url);
  return new URL(connectionString).searchParams.get('sslmode') ?? values['PGSSLMODE'] ?? null;
}

function environment(values: Values): string[] {
  const rules: readonly (readonly [boolean, string])[] = [
    [
      values['NODE_TLS_REJECT_UNAUTHORIZED'] === '0',
      'NODE_TLS_REJECT_UNAUTHORIZED must not be 0: no server would have to prove who it is',
    ],
    [
      sslMode(values) === 'no-verify',
      'DATABASE_URL must not have sslmode=no-verify: use verify-full',
    ],
    [
      // The names of `debug` end with a colon and a part, or with a star.
      /(^|[\s,])(\*|prisma($|[\s,:*]))/.test(values['DEBUG'] ?? ''),
      'DEBUG must not name prisma: it would write the values of every query to the log',
    ],
    [
      values['ONCEPAY_LOG_LEVEL'] === 'trace',
      'ONCEPAY_LOG_LEVEL must not be trace: use debug or less',
    ],
    [
      values['ONCEPAY_SIMULATOR_URL'] !== undefined,
      'ONCEPAY_SIMULATOR_URL must not be set: production has no simulator',
    ],
  ];
  return rules.filter(([isUnsafe]) => isUnsafe).map(([, message]) => message);
}

const UNSAFE: readonly Rule[] = [
  apiKeys,
  hashKey,
  published,
  repeatedByte,
  sameValue,
  rsaKeys,
  baseUrl,
  environment,
];

/** Returns what production refuses; development and test take it with a warning. */
export function findUnsafe(values: Values): string[] {
  return [...new Set(UNSAFE.flatMap((rule) => rule(values)))];
}

/** Returns what is accepted everywhere with a warning. */
export function findWeak(options: {
  readonly values: Values;
  /** Variables whose file every user may read. */
  readonly openToAll: readonly string[];
  /** True when the connection to Temporal is encrypted. */
  readonly temporalHasTls: boolean;
}): string[] {
  const { values, openToAll, temporalHasTls } = options;
  const files = openToAll.map((name) => `${name} names a file that every user may read`);
  const mode = sslMode(values);
  const isOpenDatabase = mode !== 'verify-full' && isRemoteDatabase(values['DATABASE_URL'] ?? '');
  const temporalHost = (values['TEMPORAL_ADDRESS'] ?? '').replace(/:\d{1,5}$/, '');
  const isOpenTemporal =
    !temporalHasTls &&
    readField(field.temporalAddress, values['TEMPORAL_ADDRESS']) !== null &&
    !LOOPBACK.test(temporalHost);
  return [
    ...files,
    ...(isOpenDatabase
      ? ['DATABASE_URL leads to another host with an sslmode weaker than verify-full']
      : []),
    ...(isOpenTemporal ? ['TEMPORAL_ADDRESS is another host, and the connection has no TLS'] : []),
  ];
}

/** True when the database is on another host; a socket's folder and loopback are this one. */
function isRemoteDatabase(url: string): boolean {
  if (readField(field.databaseUrl, url) === null) return false;
  const { hostname, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? decodeURIComponent(hostname);
  return host !== '' && !host.startsWith('/') && !LOOPBACK.test(host);
}
