// The client of Feishu for one app and one Bitable document.
import { createBitableCalls, type BitableCalls } from './calls/bitable';
import { createMessageCalls, type MessageCalls } from './calls/messages';
import { createFeishuPerform, type PerformDeps } from './calls/perform';
import { createFeishuTransport } from './transport/transport';

export interface FeishuDeps extends Omit<PerformDeps, 'transport'> {
  /** An origin, without a path: the paths are Feishu's. */
  readonly baseUrl: string;
  /** Names the document with the tables. */
  readonly appToken: string;
}

export interface FeishuClient extends BitableCalls, MessageCalls {
  /** Waits for the calls under way, then closes the connections. */
  end(): Promise<void>;
}

/**
 * Makes the client of Feishu. No call throws for a failure of Feishu or the network: it returns a
 * `FeishuOutcome`. No call is repeated here but for a refused token: the caller knows
 * when and how often.
 *
 * @throws TypeError when the base URL is not an origin
 */
export function createFeishuClient(deps: FeishuDeps): FeishuClient {
  const transport = createFeishuTransport(deps.baseUrl);
  const perform = createFeishuPerform({ ...deps, transport });
  return {
    ...createBitableCalls(perform, deps.appToken),
    ...createMessageCalls(perform, deps.now),
    end: () => transport.end(),
  };
}
