import { NativeConnection, type NativeConnectionPlugin } from '@temporalio/worker';
import type { WorkerPlugin } from '@temporalio/worker';
import { createLogger } from '../../config/logger';
import { workflowBundlePath } from '../../config/paths';
import { loadSettings } from '../../config/settings';
import { openDatabase } from '../../database/database';
import { createWechatPayClient } from '../../wechatpay/client';
import { createWorkers } from '../../workers/create-workers';
import { ensureSearchAttributes } from '../../workers/search-attributes';

/** The built workflows, none of them kept in memory: each workflow task replays its whole run. */
const uncached: NativeConnectionPlugin & WorkerPlugin = {
  name: 'uncached',
  configureWorker: ({ workflowsPath, ...options }) =>
    workflowsPath === undefined
      ? options
      : {
          ...options,
          maxCachedWorkflows: 0,
          workflowBundle: { codePath: workflowBundlePath() },
        },
};

export interface RunningWorker {
  stop(): Promise<void>;
}

/**
 * Oncepay's workers with `maxCachedWorkflows: 0`, wired as workers/main.ts wires them.
 * @param env as an Oncepay of test/support has it
 */
export async function startUncachedWorker(
  env: Readonly<Record<string, string>>,
): Promise<RunningWorker> {
  const settings = loadSettings({ ...env, PORT: '1' });
  const logger = createLogger({ level: 'silent', service: 'worker' });
  const database = openDatabase({
    url: settings.databaseUrl,
    encryptionKeys: settings.encryptionKeys,
    hashKey: settings.hashKey,
    webhooks: settings.webhook !== null,
    onIdleError: () => undefined,
  });
  const wechatpay = createWechatPayClient({
    ...settings.wechatpay,
    publicKey: settings.wechatpay.publicKey ?? undefined,
    now: Date.now,
    onEvent: () => undefined,
  });
  const connection = await NativeConnection.connect({
    ...settings.temporal.connection,
    plugins: [uncached],
  });
  await ensureSearchAttributes(connection, settings.temporal.namespace);
  const deps = { settings, connection, database, wechatpay, logger, now: Date.now };
  const workers = await createWorkers(deps);
  const runs = workers.map((worker) => worker.run());
  return {
    async stop() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(runs);
      await connection.close();
      await Promise.all([wechatpay.end(), database.end()]);
    },
  };
}
