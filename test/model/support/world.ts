// The database, WeChat's simulator and the clock that the model tests run on.
import { putPolicy, putSetting } from '../../database/support/two-persons';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import { createInboxWriter, type InboxWriter } from '../../../database/inbox/inbox-writer';
import { DEFAULT_POLICIES } from '../../../domain/retries/retry-policy';
import type { Simulator } from '../../../simulator/wechatpay/control/simulator';
import { createWechatPayClient, type WechatPayClient } from '../../../providers/wechatpay/client';
import { openDatabase } from '../../database/support/built';
import { secrets } from '../../database/support/secrets';
import {
  startReceiver,
  type CallbackReceiver,
} from '../../simulator/wechatpay/support/callback-receiver';
import { start, type Fixture } from '../../simulator/wechatpay/support/merchant-client';
import { createTestDatabase } from '../../support/test-database';
import type { Interrupted } from './interruption';

export const ACTOR = { name: 'shop', role: 'merchant' };

/** A request of the shop. */
export const SUBMISSION = { actor: ACTOR, guard: null, approves: null, body: {} };
/** The least time between two refunds of one payment. */
export const SPACING_MS = 1_000;
/** The failed attempts before an intervention is opened. */
const MAX_ATTEMPTS = 3;

/** The database, WeChat, and the callbacks between them; the tests play Temporal's part. */
export interface World {
  readonly sql: Pool;
  readonly database: Database;
  readonly inbox: InboxWriter;
  readonly simulator: Simulator;
  readonly credentials: Fixture['credentials'];
  readonly wechatpay: WechatPayClient;
  /** WeChat's callbacks wait here until they are delivered. */
  readonly mail: CallbackReceiver;
  readonly now: () => number;
  /** The places at which processes died or hung, each time. */
  readonly interrupted: Interrupted[];
  /** Lets time pass, for Oncepay and for WeChat. */
  pass(ms: number): void;
  end(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const own = await createTestDatabase();
  const sql = new Pool({ connectionString: own.url, max: 2 });
  const mail = await startReceiver();
  const database = openDatabase({ url: own.url, ...secrets, notifyUrl: mail.url, webhooks: false });
  await putSetting(database, 'sharing_receivers', 'any');
  const inbox = createInboxWriter({ url: own.url, ...secrets });
  const { simulator, credentials } = await start();
  const key = simulator.publicKeyOf();
  if (key === null) throw new Error('The simulator has no public key');
  const wechatpay = createWechatPayClient({
    baseUrl: simulator.url,
    merchantId: credentials.merchantId,
    appId: credentials.appId,
    merchantSerial: credentials.merchantSerial,
    merchantPrivateKey: createPrivateKey(credentials.merchantPrivateKeyPem),
    apiV3Keys: [Buffer.from(credentials.apiV3Key)],
    publicKey: { id: key.id, key: createPublicKey(key.pem) },
    now: Date.now,
  });
  // Refunds end when the test says so.
  simulator.setRefundOutcome({ status: 'PROCESSING' });
  simulator.setRefundRules({ refundSpacingMs: SPACING_MS });
  simulator.setSharingOutcome({ result: 'PENDING' });
  for (const operation of [
    'wechat.refund',
    'wechat.refund_query',
    'wechat.sharing',
    'wechat.sharing_query',
    'wechat.return',
  ] as const) {
    const policy = { ...DEFAULT_POLICIES[operation], maxAttempts: MAX_ATTEMPTS };
    await putPolicy(database, operation, policy);
  }
  let laterMs = 0;
  return {
    sql,
    database,
    inbox,
    simulator,
    credentials,
    wechatpay,
    mail,
    now: () => Date.now() + laterMs,
    interrupted: [],
    pass: (ms) => {
      laterMs += ms;
      simulator.advanceClock(ms);
    },
    async end() {
      await Promise.all([database.end(), inbox.end(), sql.end(), wechatpay.end()]);
      await Promise.all([simulator.close(), mail.close()]);
      await own.drop();
    },
  };
}
