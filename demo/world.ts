import type { Client } from '@temporalio/client';
import type { Simulator } from '../simulator/wechatpay/control/simulator';
import type { Oncepay } from '../stack/oncepay';
import type { Stack } from '../stack/stack';
import type { OperatorDesk } from './operator-desk';
import type { Shop } from './shop';
import type { WebhookReceiver } from './webhook-receiver';

/** Everything that runs for the demo. */
export interface World {
  readonly stack: Stack;
  readonly oncepay: Oncepay;
  readonly shop: Shop;
  readonly desk: OperatorDesk;
  /** WeChat Pay. */
  readonly simulator: Simulator;
  readonly webhooks: WebhookReceiver;
  readonly temporal: Client;
  /** Null when Temporal was running already (TEMPORAL_ADDRESS). */
  readonly webUiUrl: string | null;
  /** An api process whose orders end after `SHORT_WINDOW`, for the order that nobody pays. */
  readonly shortWindowPort: number;
  /** As when its machine dies: SIGKILL. */
  killWorker(): Promise<void>;
  startWorker(): Promise<void>;
}

export interface Seen {
  /** Worded as `expected`; equal texts are a success. */
  readonly seen: string;
  /** Measured on the way; decides nothing. */
  readonly note?: string;
}

/** Something that happens to a payment service, and what should come of it. */
export interface Scenario {
  readonly name: string;
  readonly expected: string;
  /** Starts before all others and goes on beside them, because it has to wait. */
  readonly takesTime?: boolean;
  /** Why it can't be played here; null when it can. */
  readonly hindrance?: (world: World) => string | null;
  readonly play: (world: World) => Promise<Seen>;
}
