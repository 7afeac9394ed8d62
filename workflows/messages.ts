// Both sides: the names and shapes of what is sent to a run.
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { OrderStatus } from '../domain/order-state';
import type { PrepayAnswer } from '../domain/run-view';
import { NOTICE_SIGNAL } from '../domain/workflow-ids';

/**
 * A hint that the rows have something new for this number: an inbox row's id, or `close` when a close
 * was asked for. No amount, no state (P3).
 */
export const noticeSignal = defineSignal<[hint: string]>(NOTICE_SIGNAL);

/** Asks for prepay round `round`; answered as soon as anything decides the order (P6). */
export const prepayUpdate = defineUpdate<PrepayAnswer, [round: number]>('prepay');

/** Asks to close the order; answered when it is closed, paid, or a person is needed. */
export const closeUpdate = defineUpdate<OrderStatus | 'unknown_order'>('close');
