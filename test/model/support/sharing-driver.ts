// The steps of an order's profit sharings: requests, attempts that die or hang, WeChat's results.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createSharingActivities } from '../../../activities/sharing/activities';
import { fen } from '../../../domain/money';
import { createProcess, type Interruption } from './interruption';
import { judgeIn, type OrderDriver } from './order-driver';
import { SUBMISSION } from './world';

/** Merchants that receive shares, which can be taken back. */
export const RECEIVERS = ['1900000109', '1900000110'] as const;
const HOUR_MS = 3_600_000;
/** Sent, then queried once or twice. */
const MOST_TURNS = 5;
const QUIET = new DefaultLogger('ERROR');

/** A sharing that is not over; the unfreezing at the payment's deadline is due in weeks. */
interface OpenSharing {
  readonly number: string;
  readonly status: string;
}

export type SharingDriver = ReturnType<typeof createSharingDriver>;

export function createSharingDriver(driver: OrderDriver) {
  const { world, no } = driver;
  const { database, simulator, sql } = world;
  return {
    /** The shop requests a sharing with these parts for the receivers, in their order. */
    share(label: number, parts: readonly number[], unfreezeRest: boolean) {
      const receivers = parts.map((amountFen, n) => ({
        type: 'MERCHANT_ID' as const,
        account: RECEIVERS[n] ?? '',
        name: null,
        relationType: 'PARTNER' as const,
        amountFen: fen(amountFen),
        description: 'commission',
      }));
      const number = { kind: 'given', outOrderNo: `${no}-s${label}` } as const;
      const request = { outTradeNo: no, number, guard: null, receivers, unfreezeRest };
      return database.sharings.request(request, SUBMISSION, world.now());
    },
    async open(): Promise<OpenSharing[]> {
      const { rows } = await sql.query<OpenSharing>(
        `SELECT out_order_no AS number, status FROM profit_sharings
         WHERE out_trade_no = $1 AND status IN ('pending', 'processing')
           AND origin <> 'deadline' ORDER BY created_at, out_order_no`,
        [no],
      );
      return rows;
    },
    /** One attempt of a sharing's run, in a process that may die. */
    async attempt(outOrderNo: string, interruption: Interruption | null = null): Promise<void> {
      const process = createProcess(interruption, {
        onHang: () => undefined,
        onInterrupted: (one) => world.interrupted.push(one),
      });
      const sharings = createSharingActivities({
        database: { sharings: process.through(database.sharings) },
        wechatpay: process.through(world.wechatpay),
        now: world.now,
      });
      const run = () => sharings.settleSharing(outOrderNo);
      await judgeIn(world, process, { activity: 'settleSharing', number: outOrderNo }, () =>
        new MockActivityEnvironment({}, { logger: QUIET }).run(run),
      );
    },
    /** WeChat ends the parts that are under way, or those of one receiver. */
    async settle(result: 'SUCCESS' | 'CLOSED', account?: string): Promise<number> {
      let settled = 0;
      for (const { outOrderNo, parts } of simulator.sharingsOf(no)) {
        for (const part of parts) {
          if (part.result !== 'PENDING' || (account ?? part.account) !== part.account) continue;
          await simulator.settleSharing({
            outOrderNo,
            account: part.account,
            result,
            callbacks: 0,
          });
          settled += 1;
        }
      }
      return settled;
    },
    /** A sharing goes its whole way, so that a large refund has to take shares back. */
    async shareAndSettle(label: number, parts: readonly number[]): Promise<void> {
      await this.share(label, parts, false);
      for (let turn = 0; turn < MOST_TURNS; turn += 1) {
        const [first] = await this.open();
        if (first === undefined) return;
        await this.attempt(first.number);
        await this.settle('SUCCESS');
        world.pass(HOUR_MS);
      }
      throw new Error(`The sharing of ${no} does not end`);
    },
    /** The next take-back of the order fails, as when the receiver's account is empty. */
    failNextReturn(): void {
      simulator.setReturnOutcome({ result: 'FAILED', outTradeNo: no, times: 1 });
    },
  };
}
