// The things that a scenario works with, and the form of a scenario.
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
  /** The simulator of WeChat Pay. */
  readonly simulator: Simulator;
  readonly webhooks: WebhookReceiver;
  readonly temporal: Client;
  /** Null when the demo uses a Temporal server that was running already (TEMPORAL_ADDRESS). */
  readonly webUiUrl: string | null;
  /**
   * The port of an api process whose orders expire after `SHORT_WINDOW`, for the order that nobody
   * pays.
   */
  readonly shortWindowPort: number;
  /** Ends the worker with SIGKILL, as when its machine fails. */
  killWorker(): Promise<void>;
  startWorker(): Promise<void>;
}

export interface Seen {
  /** In the words of `expected`: the scenario succeeds when the two texts are equal. */
  readonly seen: string;
  /** A measurement; it has no influence on success. */
  readonly note?: string;
}

/** Something that happens to a payment service, and the result it should have. */
export interface Scenario {
  readonly name: string;
  readonly expected: string;
  /** The scenario starts before all others and runs beside them, because it has to wait. */
  readonly takesTime?: boolean;
  /** The reason why the scenario can't be played here; null when it can. */
  readonly hindrance?: (world: World) => string | null;
  readonly play: (world: World) => Promise<Seen>;
}
