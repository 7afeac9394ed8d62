// Scenarios of profit sharing for the recordings.
import { refundWorkflowId, sharingWorkflowId } from '../../domain/temporal/workflow-ids';
import { untilOpened } from '../e2e/support/interventions';
import {
  FIRST,
  makeReceiversKnown,
  receiver,
  refundOf,
  sharableOrder,
  shared,
  untilSharing,
} from '../e2e/support/sharing';
import type { TestOncepay } from '../support/oncepay';
import { ended, latestRun, type PlayedRun } from './played-run';

/** Scenarios of profit sharing. */

const RECOVERY_MS = 60_000;

/** Skips WeChat's minute after a payment, which would only make the scenario slow. */
async function sharable(oncepay: TestOncepay): Promise<string> {
  oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
  await makeReceiversKnown(oncepay);
  return sharableOrder(oncepay);
}

async function endedSharing(oncepay: TestOncepay, outOrderNo: string): Promise<PlayedRun> {
  return ended(oncepay, await latestRun(oncepay, sharingWorkflowId(outOrderNo)));
}

/** The query after the acceptance finds it finished. */
export async function sharingFinished(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await sharable(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'SUCCESS', callbacks: 0, times: 1 });
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
  return endedSharing(oncepay, outOrderNo);
}

/** WeChat's word comes by callback, long before the next query. */
export async function sharingToldByCallback(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await sharable(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'PENDING', times: 1 });
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'processing');
  await oncepay.simulator.settleSharing({ outOrderNo, account: FIRST, result: 'SUCCESS' });
  await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
  return endedSharing(oncepay, outOrderNo);
}

/** The run ends when a person is needed. */
export async function sharingGivenUp(oncepay: TestOncepay): Promise<PlayedRun> {
  const fault = { operation: 'share', kind: 'error', status: 403, code: 'NO_AUTH' } as const;
  const no = await sharable(oncepay);
  oncepay.simulator.setFault(fault);
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilOpened(oncepay, no, 'sharing_failed');
  return endedSharing(oncepay, outOrderNo);
}

export async function restUnfrozen(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await sharable(oncepay);
  const outOrderNo = await shared(oncepay, no, [], { unfreeze_rest: true });
  await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
  return endedSharing(oncepay, outOrderNo);
}

/** Nothing of a take-back shows in the run of its refund. */
export async function sharedRefunded(oncepay: TestOncepay): Promise<PlayedRun> {
  const no = await sharable(oncepay);
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
  const refundNo = await refundOf(oncepay, no, 300);
  await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  return ended(oncepay, await latestRun(oncepay, refundWorkflowId(refundNo)));
}
