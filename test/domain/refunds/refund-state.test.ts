// Tests the state machine of a refund.
import fc from 'fast-check';
import {
  isSettled,
  REFUND_STATUSES,
  refundEvent,
  refundTransition,
  type RefundEvent,
  type RefundStatus,
} from '../../../domain/refunds/refund-state';

const EVENTS = REFUND_STATUSES.filter((status) => status !== 'pending') as RefundEvent[];
const settled = (status: RefundStatus) => status === 'succeeded' || status === 'closed';

test('a settled refund keeps its status, whatever WeChat reports and how often', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }), (events) => {
      let status: RefundStatus = 'pending';
      let end: RefundStatus | null = null;
      for (const event of events) {
        const step = refundTransition(status, event);
        if (step.kind === 'moved') status = step.to;
        if (end !== null) expect([step.kind === 'moved', status]).toEqual([false, end]);
        if (settled(status)) end = status;
      }
    }),
  );
});

test.each(REFUND_STATUSES.flatMap((status) => EVENTS.map((event) => [status, event] as const)))(
  'a refund that is %s and is reported as %s moves there, unless it is there or has ended',
  (status, event) => {
    const step = refundTransition(status, event);
    expect(step.kind === 'moved').toBe(!settled(status) && status !== event);
    if (step.kind === 'moved') expect(step).toEqual({ kind: 'moved', from: status, to: event });
    // Money that is gone, or that WeChat kept, against what the books say: never passed over.
    const isAgainst = (status === 'closed') !== (event === 'closed');
    if (settled(status) && isAgainst) expect(step.kind).toBe('refused');
  },
);

test('only a refund that has ended counts as settled', () => {
  expect(REFUND_STATUSES.filter(isSettled)).toEqual(['succeeded', 'closed']);
});

test.each([
  ['SUCCESS', 'succeeded'],
  ['CLOSED', 'closed'],
  ['PROCESSING', 'processing'],
  ['ABNORMAL', 'abnormal'],
  ['success', null],
  ['', null],
])('WeChat’s %j is %j', (wechat, event) => {
  expect(refundEvent(wechat)).toBe(event);
});
