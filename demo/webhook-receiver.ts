// Receives Oncepay's webhooks as the shop would, and verifies their signatures.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { webhookPayload } from './replies';

/** It keeps the newest webhooks, up to this many. */
const MAX_KEPT = 1_000;
const SECRET_BYTES = 32;

/** A received webhook with a valid signature. */
export interface ReceivedWebhook {
  readonly id: string;
  readonly event: string;
  /** null for one that is about no order. */
  readonly outTradeNo: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawBody: string;
}

/** The shop's endpoint for Oncepay's webhooks. */
export interface WebhookReceiver {
  /** For `ONCEPAY_WEBHOOK_URL`. */
  readonly url: string;
  /** For `ONCEPAY_WEBHOOK_SECRET`. */
  readonly secret: string;
  of(outTradeNo: string): readonly ReceivedWebhook[];
  /** How many webhooks came with an invalid signature; their reply was 401. */
  refused(): number;
  /** True if the signature fits the body, by the package `standardwebhooks`. */
  verify(rawBody: string, headers: Readonly<Record<string, string>>): boolean;
  close(): Promise<void>;
}

function flatHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
}

/** Listens on a free port of this machine and accepts webhooks signed with its own new secret. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const secret = `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
  const webhook = new Webhook(secret);
  const received: ReceivedWebhook[] = [];
  let refused = 0;
  const verify = (rawBody: string, headers: Readonly<Record<string, string>>): boolean => {
    try {
      webhook.verify(rawBody, headers);
      return true;
    } catch {
      return false;
    }
  };
  const take = async (request: IncomingMessage): Promise<number> => {
    const rawBody = (await buffer(request)).toString('utf8');
    const headers = flatHeaders(request);
    if (!verify(rawBody, headers)) {
      refused += 1;
      return 401;
    }
    const { type, data } = webhookPayload.parse(JSON.parse(rawBody));
    const id = headers['webhook-id'] ?? '';
    received.push({ id, event: type, outTradeNo: data.out_trade_no ?? null, headers, rawBody });
    if (received.length > MAX_KEPT) received.shift();
    return 204;
  };
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void take(request)
      .catch(() => 400)
      .then((status) => response.writeHead(status).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/webhooks`,
    secret,
    of: (outTradeNo) => received.filter((webhook) => webhook.outTradeNo === outTradeNo),
    refused: () => refused,
    verify,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
