// Watches WeChat and the database from within one process, and reports their outages.
import type { RetryControl } from '../activities/retries/control';
import { reportOutage, type OutageDeps, type Outages } from '../database/retries/report-outages';
import type { DependencyState } from '../domain/retries/dependencies';
import { HEALTHY, looksDown, noteCall, signOf } from '../domain/retries/wechat-health';
import type { CallSubject } from '../providers/wechatpay/calls/calls';
import type { WechatPayEvent } from '../providers/wechatpay/client';

/** After so many failures in a row the database counts as down. */
const DATABASE_DOWN_AFTER = 5;

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

/** Watches the database for this process alone: an outage of the database can't be stored in it. */
export function createDatabaseWatch(deps: OutageDeps) {
  let failures = 0;
  const report = (state: DependencyState) => {
    reportOutage(deps, 'database', state, {}).catch((error: unknown) =>
      deps.logger.warn({ err: error }, 'alert.failed'),
    );
  };
  return {
    failed(): void {
      failures += 1;
      if (failures === DATABASE_DOWN_AFTER) report('down');
    },
    succeeded(): void {
      if (this.isDown()) report('up');
      failures = 0;
    },
    isDown: (): boolean => failures >= DATABASE_DOWN_AFTER,
  };
}

export type DatabaseWatch = ReturnType<typeof createDatabaseWatch>;
