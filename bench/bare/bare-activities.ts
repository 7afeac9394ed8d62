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

/** The activities of Oncepay's order workflow, all of them doing nothing. */
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
