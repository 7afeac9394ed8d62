import { Webhook } from 'standardwebhooks';
import { request, type Dispatcher } from 'undici';
import type { DeliveryPort } from './activities';

/** A receiver that takes longer is asked again; it should answer first and work then. */
const WEBHOOK_TIMEOUT_MS = 10_000;

/**
 * The shop's webhook, signed as Standard Webhooks say (https://www.standardwebhooks.com): the id is the
 * delivery's own and the same at every attempt, so that the shop can drop repeats. Any 2xx takes it.
 */
export function createWebhookPort(options: {
  url: string;
  /** `whsec_…` */
  secret: string;
  dispatcher: Dispatcher;
  now: () => number;
}): DeliveryPort {
  const signer = new Webhook(options.secret);
  return {
    async send({ id, payload }) {
      const body = JSON.stringify(payload);
      const at = new Date(options.now());
      try {
        const answer = await request(options.url, {
          dispatcher: options.dispatcher,
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': 'oncepay',
            'webhook-id': id,
            'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
            'webhook-signature': signer.sign(id, at, body),
          },
          body,
          signal: AbortSignal.timeout(WEBHOOK_TIMEOUT_MS),
        });
        await answer.body.dump();
        return answer.statusCode >= 200 && answer.statusCode < 300
          ? null
          : `HTTP ${answer.statusCode}`;
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'failed';
      }
    },
  };
}

/** For a delivery whose receiver is no longer configured: it waits for its budget, then for a person. */
export const nowhere: DeliveryPort = {
  send: () => Promise.resolve('No receiver is configured'),
};

/** Messages to the user go to the log until a message service is connected here. */
export function createLoggedMessages(log: (event: string, ids: object) => void): DeliveryPort {
  return {
    send({ id, event, payload }) {
      const { data } = payload as { data?: { out_trade_no?: string } };
      log('message.sent', { id, event, outTradeNo: data?.out_trade_no });
      return Promise.resolve(null);
    },
  };
}
