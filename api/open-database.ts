// Opens the database as the settings say, for the api and for the worker.
import type { Logger } from '../config/logger';
import type { Settings } from '../config/settings';
import { openDatabase, type Database, type DatabaseOptions } from '../database/database';

/**
 * Opens the database; nothing is sent before the first call.
 * @param own what only this process sets
 */
export function openConfigured(
  settings: Settings,
  own: Pick<DatabaseOptions, 'onIdleError' | 'logUnreadable' | 'lockTimeoutMs' | 'onHeldRow'> = {},
): Database {
  return openDatabase({
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    webhooks: settings.webhook !== null,
    notifyUrl: settings.wechatpay.notifyUrl,
    sharing: settings.sharing,
    ...own,
  });
}

/** Writes into the log what happens to the connections and to unreadable values. */
export const loggedEvents = (logger: Pick<Logger, 'warn' | 'error'>) =>
  ({
    onIdleError: (error) => logger.warn({ err: error }, 'database.connection_lost'),
    logUnreadable: (ids, event) => logger.error(ids, event),
  }) satisfies Partial<DatabaseOptions>;
