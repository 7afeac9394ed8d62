// The options with which the Feishu simulator starts, and the settings that it makes of them.
import { createHash } from 'node:crypto';
import { createHexId, createId } from './http/identifiers';

/** A person of the tenant, with the open_id that this app sees. */
export interface Person {
  readonly openId: string;
  readonly name: string;
}

export interface FeishuSimulatorOptions {
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Made up when absent, as are the secrets and tokens below. */
  readonly appId?: string | undefined;
  readonly appSecret?: string | undefined;
  /** The document that holds the tables. */
  readonly appToken?: string | undefined;
  /** Null: events are neither encrypted nor signed. */
  readonly encryptKey?: string | null | undefined;
  readonly verificationToken?: string | undefined;
  readonly chatId?: string | undefined;
  /** Null: the group's bot takes messages without a signature. */
  readonly botSecret?: string | null | undefined;
  /** The address for events and card callbacks. Default null: none. */
  readonly callbackUrl?: string | null | undefined;
  /** Default 李婷, 王强 and 陈晨. */
  readonly people?: readonly Person[] | undefined;
  /** Calls a month over all apps; 10,000 on the free plan. Default null: no quota. */
  readonly monthlyCalls?: number | null | undefined;
  /** Rows a table. Default 20,000. */
  readonly rowLimit?: number | undefined;
  /** The time that a write of a table takes; another write meanwhile conflicts. Default 10 ms. */
  readonly writeMs?: number | undefined;
  /** The waits before an event is sent again. Default Feishu's 15 s, 5 min, 1 h, 6 h. */
  readonly retryMs?: readonly number[] | undefined;
  /** The time within which an event must get its 200. Default Feishu's 3,000 ms. */
  readonly callbackTimeoutMs?: number | undefined;
  /** Wall clock, in ms since 1970; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** The values that a caller's settings must have. */
export interface FeishuSettings {
  readonly appId: string;
  readonly appSecret: string;
  readonly appToken: string;
  readonly encryptKey: string | null;
  readonly verificationToken: string;
  readonly chatId: string;
  readonly botSecret: string | null;
  /** The last part of the bot's address. */
  readonly botId: string;
  /** The open_id under which the app itself writes. */
  readonly appOpenId: string;
  readonly tenantKey: string;
}

const NAMES = ['李婷', '王强', '陈晨'];

/** The same person has the same open_id in every run. */
const openIdOf = (name: string): string =>
  `ou_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;

export const DEFAULT_PEOPLE: readonly Person[] = NAMES.map((name) => ({
  openId: openIdOf(name),
  name,
}));

/** The app's name in tables and chats. */
export const APP_NAME = 'Oncepay';

/** Takes the options and makes up the absent ones. */
export function settingsFrom(options: FeishuSimulatorOptions): FeishuSettings {
  const { encryptKey, botSecret } = options;
  return {
    appId: options.appId ?? createHexId('cli_', 16),
    appSecret: options.appSecret ?? createId('', 32),
    appToken: options.appToken ?? createId('bascn', 22),
    encryptKey: encryptKey === undefined ? createId('', 32) : encryptKey,
    verificationToken: options.verificationToken ?? createId('', 32),
    chatId: options.chatId ?? createHexId('oc_'),
    botSecret: botSecret === undefined ? createId('', 22) : botSecret,
    botId: createHexId('', 32),
    appOpenId: createHexId('ou_'),
    tenantKey: createHexId('', 16),
  };
}
