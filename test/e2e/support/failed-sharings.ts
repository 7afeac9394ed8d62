// Provokes sharings and take-backs that fail, and waits for a lost sharing that is sent again.
import type { TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { setPolicy, untilOpened, type Intervention } from './interventions';
import {
  FIRST,
  receiver,
  refundOf,
  sharableOrder,
  shared,
  untilSharing,
  type Sharing,
} from './sharing';

const FOR_EVER = 1_000;

/** A sharing of 60 fen whose one receiver WeChat closes. @returns the order's number */
export async function closedReceiver(oncepay: TestOncepay): Promise<string> {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'CLOSED', outTradeNo: no, times: 1 });
  await shared(oncepay, no, [receiver(60)]);
  return no;
}

/** A refund for which a receiver does not return its share. @returns the order's number */
export async function failedReturn(oncepay: TestOncepay): Promise<string> {
  const no = await sharableOrder(oncepay);
  await untilSharing(oncepay, no, await shared(oncepay, no, [receiver(60)]), 'finished');
  oncepay.simulator.setReturnOutcome({ result: 'FAILED', outTradeNo: no, times: 1 });
  await refundOf(oncepay, no, 300);
  return no;
}

/** A sharing of 60 fen that WeChat accepts and does not find any more, queried to the end. */
export async function lostSharing(oncepay: TestOncepay): Promise<Intervention> {
  const policy = { base_delay_ms: 50, max_delay_ms: 500 };
  await setPolicy(oncepay, 'wechat.sharing_query', { ...policy, max_attempts: 2 });
  const no = await sharableOrder(oncepay);
  const lost = { kind: 'error', status: 404, code: 'RESOURCE_NOT_EXISTS' } as const;
  const operation = 'share_query';
  oncepay.simulator.setFault({ ...lost, operation, outTradeNo: no, times: FOR_EVER });
  oncepay.simulator.setSharingOutcome({ result: 'PENDING', outTradeNo: no, times: 1 });
  await shared(oncepay, no, [receiver(60)]);
  const intervention = await untilOpened(oncepay, no, 'sharing_failed');
  await setPolicy(oncepay, 'wechat.sharing_query', { ...policy, max_attempts: 60 });
  return intervention;
}

/**
 * Waits until a lost sharing was sent a second time, and ends it at WeChat.
 * @returns the finished sharing, and the hash of each body that WeChat got
 */
export async function sentAgain(
  oncepay: TestOncepay,
  { out_trade_no: no, subject: outOrderNo }: Intervention,
): Promise<{ readonly sharing: Sharing; readonly bodies: readonly (string | null)[] }> {
  const { simulator } = oncepay;
  const sent = () =>
    simulator.requestsOf(outOrderNo).filter(({ operation }) => operation === 'share');
  await until('it is sent again', () => Promise.resolve(sent()[1] ?? null), 60_000);
  simulator.clearFaults();
  await simulator.settleSharing({ outOrderNo, account: FIRST, result: 'SUCCESS' });
  const sharing = await untilSharing(oncepay, no, outOrderNo, 'finished');
  return { sharing, bodies: sent().map(({ bodySha256 }) => bodySha256) };
}
