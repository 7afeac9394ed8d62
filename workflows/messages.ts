// The signals and updates of an order's run, for the workflow and for its callers.
// Sandbox: deterministic only.
import { defineSignal, defineUpdate } from '@temporalio/workflow';
import type { OrderStatus } from '../domain/orders/order-state';
import type { PrepayReply } from '../domain/orders/run-view';
import { NOTICE_SIGNAL } from '../domain/temporal/workflow-ids';
import type { Proposal } from './activity-contract';

/**
 * Wakes a run: the rows have something new for this number. The hint is for people who read the
 * history: an inbox row's id, or a word like `close`. It carries no amount and no state (P3).
 */
export const noticeSignal = defineSignal<[hint: string]>(NOTICE_SIGNAL);

/**
 * Asks for prepay round `round`. The run replies as soon as anything decides the order (P6).
 * `ended` counts the interventions `wechat_failed` that the caller has seen ended: the run does not
 * reply from older rows. Versions before 0.4.0 send none.
 */
export const prepayUpdate = defineUpdate<PrepayReply, [round: number, ended?: number]>('prepay');

/**
 * Names a person's resolution by its id alone; the run acts on the committed, approved row. It
 * replies when the row is carried out or refused, or when nothing is left to carry out.
 */
export const resolutionUpdate = defineUpdate<undefined, [resolutionId: string]>('resolution');

/** For a person in Temporal's Web UI: proposes a resolution. An API key has to approve it. */
export const proposeSignal = defineSignal<[proposal: Proposal]>('propose');

/**
 * Asks to close the order. The run replies when it is closed or paid, or when a person is needed.
 * `ended` as for {@link prepayUpdate}.
 */
export const closeUpdate = defineUpdate<OrderStatus | 'unknown_order', [ended?: number]>('close');
