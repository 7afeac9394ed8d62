// Opens the database as the settings say, for the api and for the worker.
import type { Settings } from '../config/settings';
import { openDatabase, type Database, type DatabaseOptions } from '../database/database';

/**
 * Opens the database; nothing is sent before the first call.
 * @param own what only this process sets
 */
export function openConfigured(
  settings: Settings,
  own: Pick<DatabaseOptions, 'onIdleError' | 'lockTimeoutMs'> = {},
): Database {
  return openDatabase({
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    webhooks: settings.webhook !== null,
    notifyUrl: settings.wechatpay.notifyUrl,
    sharing: settings.sharing,
    twoPersonFen: settings.twoPersonFen,
    ...own,
  });
}
