// Opens the database as the settings say, for the api and for the worker.
import type { Settings } from '../config/settings';
import { openDatabase, type Database } from '../database/database';

/**
 * Opens the database; nothing is sent before the first call.
 * @param onIdleError called when an idle connection is lost; the pool replaces it
 */
export function openConfigured(settings: Settings, onIdleError?: (error: Error) => void): Database {
  return openDatabase({
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    webhooks: settings.webhook !== null,
    notifyUrl: settings.wechatpay.notifyUrl,
    sharing: settings.sharing,
    ...(onIdleError && { onIdleError }),
  });
}
