// The receivers of outbound deliveries: the shop's webhook, and messages to the user.
import { Webhook } from 'standardwebhooks';
import { request, type Dispatcher } from 'undici';
import { DELIVERY_TIMES_MS } from '../../domain/outbound/delivery-times';
import type { DeliveryPort } from './activities';

/** Bytes of a reply's body that are read, so that its connection can be used again. */
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Sends webhooks to the shop, signed by Standard Webhooks (https://www.standardwebhooks.com). The
 * id is the delivery's own and the same at every attempt, so that the shop can drop repeats. The
 * status line 2xx accepts the webhook, whatever becomes of the body.
 */
export function createWebhookPort(options: {
  url: string;
  /** `whsec_…` */
  secret: string;
  dispatcher: Dispatcher;
  now: () => number;
  /** After this a webhook counts as failed and is sent again. */
  timeoutMs?: number;
}): DeliveryPort {
  const signer = new Webhook(options.secret);
  return {
    async send({ id, payload }) {
      const body = JSON.stringify(payload);
      const timeout = startTimeout(options.timeoutMs ?? DELIVERY_TIMES_MS.receiver);
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
          signal: timeout.signal,
        });
        // The status line has decided. A body that breaks off costs its connection, nothing else.
        await reply.body.dump({ limit: MAX_BODY_BYTES }).catch(String);
        return reply.statusCode >= 200 && reply.statusCode < 300
          ? null
          : `HTTP ${reply.statusCode}`;
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 200) : 'failed';
      } finally {
        timeout.clear();
      }
    },
  };
}

/**
 * A timeout that lets a reply in first: in a process that was too busy, both are due at once, and
 * Node runs its timers before it reads from the network. A reply that has arrived counts.
 */
function startTimeout(ms: number): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const why = Object.assign(new Error('no reply in time'), { name: 'TimeoutError' });
    setImmediate(() => controller.abort(why));
  }, ms);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
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
