// Tests the ids of runs, updates and deliveries.
import fc from 'fast-check';
import { ORDER_EVENT_NAMES } from '../../../domain/outbound/webhook-events';
import { makeOrderNumber, parseOrderNumber } from '../../../domain/orders/order-number';
import {
  closeUpdateId,
  deliveryId,
  ORDER_WORKFLOW_TYPE,
  orderWorkflowId,
  prepayUpdateId,
} from '../../../domain/temporal/workflow-ids';
import { orderParts } from '../support/orders';

describe('the ids in Temporal', () => {
  test("the id of an order's run is the bare order number, which can be parsed", () => {
    fc.assert(
      fc.property(orderParts, (parts) => {
        const number = makeOrderNumber(parts);
        expect(orderWorkflowId(number)).toBe(number);
        expect(parseOrderNumber(orderWorkflowId(number)).kind).toBe('valid');
      }),
    );
  });

  test.each([
    [1, 0, 'prepay:1'],
    [2, 0, 'prepay:2'],
    [30_000, 0, 'prepay:30000'],
    [1, 1, 'prepay:1:after:1'],
    [2, 3, 'prepay:2:after:3'],
  ])('prepay round %d after %d failures that ended has the update id %s', (round, ended, id) => {
    expect(prepayUpdateId(round, ended)).toBe(id);
  });

  test.each([
    [0, 'close'],
    [2, 'close:after:2'],
  ])('a close after %d failures that ended has the update id %s', (ended, id) => {
    expect(closeUpdateId(ended)).toBe(id);
  });

  test('the names that recorded histories contain are unchanged', () => {
    expect(ORDER_WORKFLOW_TYPE).toBe('orderWorkflow');
  });
});

describe("a delivery's id", () => {
  test('the id of a delivery is made of the number and the event', () => {
    expect(deliveryId('202611230100ZBA1B2C332', 'order.paid')).toBe(
      '202611230100ZBA1B2C332:order.paid',
    );
  });

  test('the id of a delivery is the same at every attempt and differs by order and event', () => {
    const event = fc.constantFrom(...ORDER_EVENT_NAMES);
    fc.assert(
      fc.property(orderParts, event, orderParts, event, (partsA, eventA, partsB, eventB) => {
        const a = makeOrderNumber(partsA);
        const b = makeOrderNumber(partsB);
        const same = a === b && eventA === eventB;
        expect(deliveryId(a, eventA) === deliveryId(b, eventB)).toBe(same);
        expect(deliveryId(a, eventA)).toBe(deliveryId(a, eventA));
      }),
    );
  });
});
