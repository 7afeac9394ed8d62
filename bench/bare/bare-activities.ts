// The activities of the bare workflow: the names of Oncepay's, with no work in them.
import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';

export interface BareSteps {
  loadRun(outTradeNo: string): Promise<void>;
  applyNotices(outTradeNo: string): Promise<void>;
  runEffects(outTradeNo: string): Promise<void>;
}

export interface BareActivities extends BareSteps {
  prepay(outTradeNo: string): Promise<void>;
  queryPayment(outTradeNo: string): Promise<void>;
  deliver(outTradeNo: string): Promise<void>;
}

const nothing = () => Promise.resolve();

/** Creates the activities. None of them does anything; the query always fails with "not yet". */
export function createBareActivities(queryGapMs: number): BareActivities {
  return {
    loadRun: nothing,
    applyNotices: nothing,
    runEffects: nothing,
    prepay: nothing,
    deliver: nothing,
    queryPayment: () =>
      Promise.reject(
        ApplicationFailure.create({
          message: 'wechat.query: NOT_YET',
          type: 'NOT_YET',
          nextRetryDelay: queryGapMs,
          category: ApplicationFailureCategory.BENIGN,
        }),
      ),
  };
}
