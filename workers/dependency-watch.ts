// Watches WeChat and the database from within one process, and reports their outages.
import type { RetryControl } from '../activities/retries/control';
import { reportOutage, type OutageDeps, type Outages } from '../database/retries/report-outages';
import type { DependencyState } from '../domain/retries/dependencies';
import { HEALTHY, looksDown, noteCall, signOf } from '../domain/retries/wechat-health';
import type { CallSubject } from '../providers/wechatpay/calls/calls';
import type { WechatPayEvent } from '../providers/wechatpay/client';

/** After so many failures the database is tried on a connection of its own. */
const DATABASE_TRIED_AFTER = 5;
/** Much work at once lasts for minutes; its line in the log comes this often. */
const BUSY_LOG_MS = 60_000;

/**
 * Watches every call to WeChat of this process. All processes share a row with WeChat's state; the
 * process that changes it raises the alert. The first definite response in any process ends the
 * outage.
 */
export function createWechatWatch({
  outages,
  control,
  logger,
}: Pick<OutageDeps, 'logger'> & {
  readonly outages: Outages;
  readonly control: Pick<RetryControl, 'wechatIsDown' | 'forget'>;
}) {
  let health = HEALTHY;
  let isChanging = false;

  async function changeTo(state: DependencyState): Promise<void> {
    if ((await control.wechatIsDown()) === (state === 'down')) return;
    const { unconnected, undecided } = health;
    try {
      await outages.report('wechatpay', state, { unconnected, undecided });
    } finally {
      control.forget();
    }
  }

  return (event: WechatPayEvent): void => {
    if (event.event !== 'wechat.called') return;
    const sign = signOf(event);
    health = noteCall(health, sign, numberOf(event));
    const state = sign === 'definite' ? 'up' : looksDown(health) ? 'down' : null;
    if (state === null || isChanging) return;
    isChanging = true;
    changeTo(state)
      .catch((error: unknown) => logger.warn({ err: error }, 'dependency.not_noted'))
      .finally(() => {
        isChanging = false;
      });
  };
}

function numberOf(call: CallSubject): string {
  if ('outTradeNo' in call) return call.outTradeNo;
  if ('billDate' in call) return call.billDate;
  return 'outRefundNo' in call ? call.outRefundNo : call.outOrderNo;
}

/**
 * Watches the database for this process alone: an outage of the database can't be stored in it.
 * Much work at once makes the waits for a free connection time out. That is no outage, so the
 * database counts as down only when it can't be reached on a connection of its own either.
 */
export function createDatabaseWatch(
  deps: OutageDeps & {
    /** Tries a connection of its own. Never rejects. */
    readonly isReachable: () => Promise<boolean>;
  },
) {
  let failures = 0;
  let isDown = false;
  let isTrying = false;
  let busyLoggedMs = -Infinity;
  const report = (state: DependencyState) => {
    reportOutage(deps, 'database', state, {}).catch((error: unknown) =>
      deps.logger.warn({ err: error }, 'alert.failed'),
    );
  };

  async function tryDatabase(): Promise<void> {
    const isReachable = await deps.isReachable();
    if (isReachable && deps.now() - busyLoggedMs >= BUSY_LOG_MS) {
      busyLoggedMs = deps.now();
      deps.logger.warn({}, 'database.busy');
    }
    isTrying = false;
    failures = 0;
    isDown = !isReachable;
    if (isDown) report('down');
  }

  return {
    failed(): void {
      failures += 1;
      if (isDown || isTrying || failures < DATABASE_TRIED_AFTER) return;
      isTrying = true;
      void tryDatabase();
    },
    succeeded(): void {
      if (isDown) report('up');
      isDown = false;
      failures = 0;
    },
    isDown: (): boolean => isDown,
  };
}

export type DatabaseWatch = ReturnType<typeof createDatabaseWatch>;
