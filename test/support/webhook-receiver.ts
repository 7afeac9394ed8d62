// The shop's side of webhooks for tests.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

export interface ReceivedWebhook {
  readonly id: string;
  readonly type: string;
  readonly timestamp: string;
  readonly data: {
    readonly out_trade_no: string;
    readonly status: string;
    readonly receivers?: readonly { readonly result: string }[];
  };
}

/** The shop's side of webhooks: verifies every signature and keeps the accepted webhooks. */
export interface WebhookReceiver {
  readonly url: string;
  readonly secret: string;
  readonly received: ReceivedWebhook[];
  /** The number of requests whose signature did not verify. */
  readonly forged: number;
  /** The next `times` requests get this status and are not kept. */
  failNext(times: number, status?: number): void;
  /** Refuses every webhook about this order, until `refused` is false. */
  refuse(outTradeNo: string, refused: boolean): void;
  /** Called with each accepted webhook, before it is replied to. */
  onReceived: (webhook: ReceivedWebhook) => void;
  of(outTradeNo: string): ReceivedWebhook[];
  close(): Promise<void>;
}

export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const secret = `whsec_${randomBytes(24).toString('base64')}`;
  const verifier = new Webhook(secret);
  const received: ReceivedWebhook[] = [];
  let forged = 0;
  let failing = { times: 0, status: 500 };
  const refusedOrders = new Set<string>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (failing.times > 0) {
        failing = { ...failing, times: failing.times - 1 };
        response.writeHead(failing.status).end();
        return;
      }
      try {
        const body = verifier.verify(
          Buffer.concat(chunks),
          request.headers as Record<string, string>,
        ) as Omit<ReceivedWebhook, 'id'>;
        if (refusedOrders.has(body.data.out_trade_no)) {
          response.writeHead(500).end();
          return;
        }
        const webhook = { ...body, id: String(request.headers['webhook-id']) };
        received.push(webhook);
        receiver.onReceived(webhook);
        response.writeHead(204).end();
      } catch {
        forged += 1;
        response.writeHead(400).end();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${port}/webhooks`,
    secret,
    received,
    get forged() {
      return forged;
    },
    failNext(times, status = 500) {
      failing = { times, status };
    },
    refuse(outTradeNo, refused) {
      if (refused) refusedOrders.add(outTradeNo);
      else refusedOrders.delete(outTradeNo);
    },
    onReceived: () => undefined,
    of: (outTradeNo) => received.filter(({ data }) => data.out_trade_no === outTradeNo),
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
