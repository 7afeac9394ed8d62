import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { webhookPayload } from './replies';

/** The newest are kept. */
const MAX_KEPT = 1_000;
const SECRET_BYTES = 32;

/** A webhook that came and whose signature is right. */
export interface ReceivedWebhook {
  readonly id: string;
  readonly event: string;
  readonly outTradeNo: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly rawBody: string;
}

/** The shop's side of Oncepay's webhooks. */
export interface WebhookReceiver {
  /** For `ONCEPAY_WEBHOOK_URL`. */
  readonly url: string;
  /** For `ONCEPAY_WEBHOOK_SECRET`. */
  readonly secret: string;
  of(outTradeNo: string): readonly ReceivedWebhook[];
  /** How many came with a signature that is not right; they were answered 401. */
  refused(): number;
  /** Whether the signature fits these bytes, as the package `standardwebhooks` says. */
  verify(rawBody: string, headers: Readonly<Record<string, string>>): boolean;
  close(): Promise<void>;
}

function flatHeaders(request: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
}

/** Listens on this machine at any free port and takes what is signed with its own fresh secret. */
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
    received.push({ id, event: type, outTradeNo: data.out_trade_no, headers, rawBody });
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
