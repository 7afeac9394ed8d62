// Both sides: the names and shapes of what is sent to a run.
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { OrderStatus } from '../domain/orders/order-state';
import type { PrepayReply } from '../domain/orders/run-view';
import type { Proposal } from './activity-contract';
import { NOTICE_SIGNAL } from '../domain/temporal/workflow-ids';

/**
 * A hint that the rows have something new for this number: an inbox row's id, or `close` when a close
 * was asked for. No amount, no state (P3).
 */
export const noticeSignal = defineSignal<[hint: string]>(NOTICE_SIGNAL);

/** Asks for prepay round `round`; answered as soon as anything decides the order (P6). */
export const prepayUpdate = defineUpdate<PrepayReply, [round: number]>('prepay');

/**
 * Tells a run of a person's answer by its id alone: the run acts on the committed, approved row.
 * Answered when the row is carried out, refused or found to be nothing.
 */
export const resolutionUpdate = defineUpdate<undefined, [resolutionId: string]>('resolution');

/** For a person in Temporal's Web UI: proposes an answer, which a key has to approve. */
export const proposeSignal = defineSignal<[proposal: Proposal]>('propose');

/** Asks to close the order; answered when it is closed, paid, or a person is needed. */
export const closeUpdate = defineUpdate<OrderStatus | 'unknown_order'>('close');
