import type { AlertPort } from '../activities/alert-port';
import type { RetryControl } from '../activities/retry/control';
import type { Logger } from '../config/logger';
import type { Database } from '../database/database';
import { HEALTHY, looksDown, noteCall, signOf } from '../domain/wechat-health';
import type { WechatPayEvent } from '../wechatpay/client';

export interface WatchDeps {
  readonly alerts: AlertPort;
  readonly logger: Logger;
  readonly now: () => number;
}

/** So many failures in a row, with no success between them, and the database counts as down. */
const DATABASE_DOWN_AFTER = 5;

/** One line and one alert for an outage, whatever waits for it. */
async function tell(
  { alerts, logger }: WatchDeps,
  dependency: string,
  state: 'up' | 'down',
): Promise<void> {
  if (state === 'down') logger.error({ dependency }, 'dependency.down');
  else logger.info({ dependency }, 'dependency.up');
  const text = state === 'down' ? `${dependency} is down` : `${dependency} is back`;
  await alerts.alert({ kind: `dependency_${state}`, count: 1, numbers: [], text });
}

/**
 * Watches every call to WeChat of this process. An outage is noted in a row that all processes share:
 * the one that turns it raises the alert; the first definite answer, whoever gets it, ends it.
 */
export function createWechatWatch(
  deps: WatchDeps & {
    readonly dependencies: Pick<Database['dependencies'], 'mark'>;
    readonly control: Pick<RetryControl, 'wechatIsDown' | 'forget'>;
  },
) {
  const { dependencies, control, logger, now } = deps;
  let health = HEALTHY;
  let turning = false;

  async function turn(state: 'up' | 'down'): Promise<void> {
    if ((await control.wechatIsDown()) === (state === 'down')) return;
    const { unconnected, undecided } = health;
    const isFirst = await dependencies.mark('wechatpay', state, { unconnected, undecided }, now());
    control.forget();
    if (isFirst) await tell(deps, 'wechatpay', state);
  }

  return (event: WechatPayEvent): void => {
    if (event.event !== 'wechat.called') return;
    const sign = signOf(event);
    health = noteCall(health, sign, 'outTradeNo' in event ? event.outTradeNo : event.outRefundNo);
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

/** Watches the database of this process; its outage can't be shared through the database. */
export function createDatabaseWatch(deps: WatchDeps) {
  let failures = 0;
  const say = (state: 'up' | 'down') => {
    tell(deps, 'database', state).catch((error: unknown) =>
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
