// Opens the database and wires the functions of all its rooms.
import { DEFAULT_SHARING, DEFAULT_TWO_PERSON_FEN } from '../domain/settings/runtime-settings';
import { PrismaClient } from '../generated/prisma/client';
import { createRowLimit, type RowLimitOptions } from './connections/limit-row-waits';
import { modelAdapter } from './connections/model-adapter';
import { openPool } from './connections/open-connections';
import { createResolutions } from './resolutions/resolutions';
import { createCallbackDeliveries } from './inbox/callback-log';
import { createAnnouncements } from './interventions/announcements';
import { createClosing } from './orders/close-order';
import { isRowHeld } from './core/classify-errors';
import type { DatabaseContext, SharingRules } from './core/context';
import { createDeliveries } from './outbound/record-delivery-results';
import { createDependencies } from './retries/mark-dependencies';
import { createEffects } from './fulfilment/run-effects';
import { createFieldCipher } from './encryption/field-encryption';
import { findMissingKeys } from './encryption/find-missing-keys';
import { createEscalations } from './retries/escalate-operations';
import { createHealth } from './migrations/check-health';
import { createInbox } from './inbox/inbox-lag';
import { createUnreadableReports, type LogUnreadable } from './interventions/report-unreadable';
import { createInterventionList } from './interventions/list-interventions';
import { createKeyedHash } from './encryption/keyed-hash';
import { createNoticeApplication } from './inbox/apply-notices';
import { createOrderCreation } from './orders/create-order';
import { createOrderReading } from './views/read-orders';
import { createLeases } from './sweep/lease-due-rows';
import { createPatrol } from './patrol/patrol';
import { createPrepays } from './orders/record-prepays';
import { createProducts } from './fulfilment/change-products';
import { createAlertMarks } from './interventions/hourly-alerts';
import { createNoticeQueries } from './orders/record-notice-queries';
import { createProposals } from './proposals/list-proposals';
import { createQueries } from './orders/record-payment-queries';
import { createReconciliations } from './reconciliation/reconciliations';
import { createRefundRequests } from './refunds/request-refund';
import { createRefunds } from './refunds/run-refund';
import { createRetryBudgets } from './retries/spend-retry-budgets';
import { createRetryPolicies } from './retries/retry-policies';
import { createRunViews } from './core/read-run-view';
import { createSettingChanges } from './settings/change-setting';
import { createRuntimeSettings } from './settings/runtime-settings';
import { createShareReturns } from './refunds/record-share-return';
import { createKnownReceivers } from './sharing/keep-known-receivers';
import { createSharingRequests } from './sharing/request-sharing';
import { createSharings } from './sharing/run-sharing';
import { createStatisticsReading } from './statistics/read-statistics';
import { createStatisticsRollUp } from './statistics/roll-up';

/** How the database is opened. */
export interface DatabaseOptions {
  readonly url: string;
  readonly encryptionKeys: readonly { readonly id: string; readonly key: Buffer }[];
  readonly hashKey: Buffer;
  /** The size of the pool; 16 when left out. */
  readonly maxConnections?: number;
  /**
   * A statement waits this long for a row that another transaction holds. When left out, it waits
   * until its own time limit.
   */
  readonly lockTimeoutMs?: number;
  /** How work ends that finds no room on a row that others hold; `wait` when left out. */
  readonly onHeldRow?: RowLimitOptions['onHeldRow'];
  /** True when a webhook of the shop is configured: only then webhook deliveries are written. */
  readonly webhooks: boolean;
  /** WeChat calls this URL about refunds of payments that belong to no order of ours. */
  readonly notifyUrl: string;
  /** How payments are shared; WeChat's defaults when left out. */
  readonly sharing?: SharingRules;
  /** The most that one person moves alone, in fen; {@link DEFAULT_TWO_PERSON_FEN} when left out. */
  readonly twoPersonFen?: number;
  /** Called when an idle connection is lost; the pool replaces it. */
  readonly onIdleError?: (error: Error) => void;
  /** Called once for each kind of value that no encryption key decrypts. */
  readonly logUnreadable?: LogUnreadable;
}

/** Shorter than the 5 s after which the api replies that the database hangs. */
const CONNECT_TIMEOUT_MS = 2_000;
const QUERY_TIMEOUT_MS = 4_000;
/** The server ends a statement a little earlier, so that no statement outlives its caller. */
const STATEMENT_TIMEOUT_MS = 3_500;
/** A session whose process died inside a transaction releases its locks after this time. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000;
/** A transaction waits this long for a connection, and may run this long. */
const TRANSACTION_WAIT_MS = 4_000;
const TRANSACTION_TIMEOUT_MS = 8_000;
/**
 * A bill of a million lines is copied while it is downloaded, and compared in one statement. Two
 * days may be reconciled at once.
 */
const LONG = { connections: 2, statementMs: 20 * 60_000 } as const;
const DEFAULT_CONNECTIONS = 16;
/** Work on one order or product takes at most this part of the pool. */
const PART_OF_ONE_ROW = 1 / 4;

/** Opens the pool of the few statements that need minutes. */
const openLongPool = ({ url, onIdleError }: DatabaseOptions) =>
  openPool({
    url,
    applicationName: 'oncepay-reconciliation',
    maxConnections: LONG.connections,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    queryTimeoutMs: LONG.statementMs,
    settings: {
      statement_timeout: String(LONG.statementMs),
      idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    },
    onIdleError,
  });

/** All functions of the database, by room. */
export type Database = ReturnType<typeof openDatabase>;

/**
 * Opens the database: one Prisma client on one pool, and the functions of all rooms, on domain
 * types. Nothing is sent before the first call, so the database may be down at the start.
 * @throws DatabaseUrlError when the URL can't be used
 */
export function openDatabase(options: DatabaseOptions) {
  const maxConnections = options.maxConnections ?? DEFAULT_CONNECTIONS;
  const { lockTimeoutMs } = options;
  const pool = openPool({
    url: options.url,
    applicationName: 'oncepay',
    maxConnections,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    queryTimeoutMs: QUERY_TIMEOUT_MS,
    settings: {
      statement_timeout: String(STATEMENT_TIMEOUT_MS),
      idle_in_transaction_session_timeout: String(IDLE_IN_TRANSACTION_TIMEOUT_MS),
      ...(lockTimeoutMs === undefined ? {} : { lock_timeout: String(lockTimeoutMs) }),
    },
    onIdleError: options.onIdleError,
  });
  const longPool = openLongPool(options);
  const prisma = new PrismaClient({
    adapter: modelAdapter(pool, options.url),
    transactionOptions: { maxWait: TRANSACTION_WAIT_MS, timeout: TRANSACTION_TIMEOUT_MS },
  });
  const logError = options.logUnreadable ?? (() => undefined);
  const unreadable = createUnreadableReports({ prisma, logError, now: Date.now });
  const context = createContext(options, { prisma, unreadable, maxConnections });
  return {
    orders: { ...createOrderCreation(context), ...createOrderReading(context) },
    runs: createRunViews(context),
    prepays: createPrepays(context),
    queries: createQueries(context),
    alertMarks: createAlertMarks(context),
    noticeQueries: createNoticeQueries(context),
    closing: createClosing(context),
    notices: createNoticeApplication(context),
    effects: createEffects(context),
    deliveries: createDeliveries(context),
    inbox: createInbox(context),
    callbackDeliveries: createCallbackDeliveries(context),
    overdue: createLeases(context),
    patrol: createPatrol(context),
    products: createProducts(context),
    interventions: createInterventionList(context),
    resolutions: createResolutions(context),
    refunds: createRefunds(context),
    proposals: createProposals(context),
    refundRequests: createRefundRequests(context),
    shareReturns: createShareReturns(context),
    reconciliations: createReconciliations(context, longPool),
    sharings: { ...createSharings(context), ...createSharingRequests(context) },
    receivers: createKnownReceivers(context),
    policies: createRetryPolicies(context),
    statistics: { ...createStatisticsRollUp(context), ...createStatisticsReading(context) },
    settings: { ...createRuntimeSettings(context), ...createSettingChanges(context) },
    budgets: createRetryBudgets(context),
    escalations: createEscalations(context),
    dependencies: createDependencies(context),
    announcements: createAnnouncements(context),
    health: createHealth(pool),
    missingKeys: () => findMissingKeys(pool, options.encryptionKeys),
    unreadable,
    async end(): Promise<void> {
      await unreadable.settled();
      await prisma.$disconnect();
      for (const one of [pool, longPool]) if (!one.ended) await one.end();
    },
  };
}

/** Makes the context that all rooms share. */
function createContext(
  options: DatabaseOptions,
  parts: Pick<DatabaseContext, 'prisma' | 'unreadable'> & { readonly maxConnections: number },
): DatabaseContext {
  const { prisma, unreadable, maxConnections } = parts;
  return {
    prisma,
    limitRows: createRowLimit({
      most: Math.max(1, Math.floor(maxConnections * PART_OF_ONE_ROW)),
      isRowHeld,
      onHeldRow: options.onHeldRow ?? 'wait',
    }),
    cipher: createFieldCipher(options.encryptionKeys, unreadable.report),
    unreadable,
    hash: createKeyedHash(options.hashKey),
    webhooks: options.webhooks,
    notifyUrl: options.notifyUrl,
    sharing: options.sharing ?? DEFAULT_SHARING,
    twoPersonFen: options.twoPersonFen ?? DEFAULT_TWO_PERSON_FEN,
  };
}
