import type { RetryControl } from '../activities/retries/control';
import { reportOutage, type OutageDeps, type Outages } from '../database/retries/report-outages';
import type { DependencyState } from '../domain/retries/dependencies';
import { HEALTHY, looksDown, noteCall, signOf } from '../domain/retries/wechat-health';
import type { CallSubject } from '../providers/wechatpay/calls/calls';
import type { WechatPayEvent } from '../providers/wechatpay/client';

/** So many failures in a row, with no success between them, and the database counts as down. */
const DATABASE_DOWN_AFTER = 5;

/**
 * Watches every call to WeChat of this process. An outage is noted in a row that all processes share:
 * the one that turns it raises the alert; the first definite answer, whoever gets it, ends it.
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
  let turning = false;

  async function turn(state: DependencyState): Promise<void> {
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
    if (state === null || turning) return;
    turning = true;
    turn(state)
      .catch((error: unknown) => logger.warn({ err: error }, 'dependency.not_noted'))
      .finally(() => {
        turning = false;
      });
  };
}

function numberOf(call: CallSubject): string {
  if ('outTradeNo' in call) return call.outTradeNo;
  return 'outRefundNo' in call ? call.outRefundNo : call.outOrderNo;
}

/** Watches the database of this process; its outage can't be shared through the database. */
export function createDatabaseWatch(deps: OutageDeps) {
  let failures = 0;
  const say = (state: DependencyState) => {
    reportOutage(deps, 'database', state, {}).catch((error: unknown) =>
      deps.logger.warn({ err: error }, 'alert.failed'),
    );
  };
  return {
    failed(): void {
      failures += 1;
      if (failures === DATABASE_DOWN_AFTER) say('down');
    },
    succeeded(): void {
      if (this.isDown()) say('up');
      failures = 0;
    },
    isDown: (): boolean => failures >= DATABASE_DOWN_AFTER,
  };
}

export type DatabaseWatch = ReturnType<typeof createDatabaseWatch>;
