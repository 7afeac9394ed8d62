import fc from 'fast-check';
import { ORDER_EVENT_NAMES } from '../../../domain/fulfilment/effects';
import { makeOrderNumber, parseOrderNumber } from '../../../domain/orders/order-number';
import {
  CLOSE_UPDATE_ID,
  deliveryId,
  ORDER_WORKFLOW_TYPE,
  orderWorkflowId,
  prepayUpdateId,
} from '../../../domain/temporal/workflow-ids';
import { orderParts } from '../support/orders';

describe('the ids in Temporal', () => {
  test("an order's run is found under the bare number, which can be read back", () => {
    fc.assert(
      fc.property(orderParts, (parts) => {
        const number = makeOrderNumber(parts);
        expect(orderWorkflowId(number)).toBe(number);
        expect(parseOrderNumber(orderWorkflowId(number)).kind).toBe('valid');
      }),
    );
  });

  test.each([
    [1, 'prepay:1'],
    [2, 'prepay:2'],
    [30_000, 'prepay:30000'],
  ])('prepay round %d is the update %s', (round, expected) => {
    expect(prepayUpdateId(round)).toBe(expected);
  });

  test('names that stand in recorded histories are what they always were', () => {
    expect({ ORDER_WORKFLOW_TYPE, CLOSE_UPDATE_ID }).toEqual({
      ORDER_WORKFLOW_TYPE: 'orderWorkflow',
      CLOSE_UPDATE_ID: 'close',
    });
  });
});

describe("a delivery's id", () => {
  test('is the number and the event', () => {
    expect(deliveryId('202611230100ZBA1B2C332', 'order.paid')).toBe(
      '202611230100ZBA1B2C332:order.paid',
    );
  });

  test('is the same on every attempt and another for every order and event', () => {
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
