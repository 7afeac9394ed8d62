// The receivers of outbound deliveries: the shop's webhook, and messages to the user.
import { Webhook } from 'standardwebhooks';
import { request, type Dispatcher } from 'undici';
import type { DeliveryPort } from './activities';

/**
 * After this a webhook counts as failed and is sent again: a shop should reply first, then work.
 */
const WEBHOOK_TIMEOUT_MS = 10_000;

/**
 * Sends webhooks to the shop, signed by Standard Webhooks (https://www.standardwebhooks.com). The
 * id is the delivery's own and the same at every attempt, so that the shop can drop repeats. Any
 * 2xx reply accepts the webhook.
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
        const reply = await request(options.url, {
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
        await reply.body.dump();
        return reply.statusCode >= 200 && reply.statusCode < 300
          ? null
          : `HTTP ${reply.statusCode}`;
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'failed';
      }
    },
  };
}

/**
 * For deliveries whose receiver is no longer configured: each fails until its retry budget is
 * spent, then an intervention is opened.
 */
export const noReceiver: DeliveryPort = {
  send: () =>
    Promise.resolve(
      'no receiver is configured: set ONCEPAY_WEBHOOK_URL and ONCEPAY_WEBHOOK_SECRET',
    ),
};

/** Writes messages for the user to the log until a message service is connected here. */
export function createLoggedMessages(log: (event: string, ids: object) => void): DeliveryPort {
  return {
    send({ id, event, payload }) {
      const { data } = payload as { data?: { out_trade_no?: string } };
      log('message.sent', { id, event, outTradeNo: data?.out_trade_no });
      return Promise.resolve(null);
    },
  };
}
