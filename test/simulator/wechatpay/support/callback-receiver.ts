// Receives the simulator's callbacks, replies as the test says, and decrypts them.
import { createDecipheriv } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';

export interface ReceivedCallback {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CallbackReceiver {
  readonly url: string;
  readonly received: ReceivedCallback[];
  /** The status of the next replies; null leaves the callbacks without a reply. */
  answer(status: number | null): void;
  /** Resolves once so many callbacks have come. */
  waitFor(count: number): Promise<void>;
  close(): Promise<void>;
}

/** A shop's callback address that keeps each callback and replies as the test says. */
export async function startReceiver(): Promise<CallbackReceiver> {
  const received: ReceivedCallback[] = [];
  const waiting: { count: number; done: () => void }[] = [];
  let status: number | null = 204;
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      received.push({ headers: req.headers, body: Buffer.concat(chunks).toString('utf8') });
      for (const waiter of waiting) if (received.length >= waiter.count) waiter.done();
      if (status !== null) res.writeHead(status).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/callbacks/wechat`,
    received,
    answer: (next) => {
      status = next;
    },
    waitFor: (count) =>
      new Promise((resolve) => {
        if (received.length >= count) resolve();
        else waiting.push({ count, done: resolve });
      }),
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const envelope = z.object({
  id: z.string(),
  create_time: z.string(),
  event_type: z.string(),
  resource_type: z.literal('encrypt-resource'),
  resource: z.object({
    original_type: z.string(),
    algorithm: z.literal('AEAD_AES_256_GCM'),
    ciphertext: z.string(),
    associated_data: z.string(),
    nonce: z.string().length(12),
  }),
});
const encrypted = z.object({
  ciphertext: z.string(),
  associated_data: z.string(),
  nonce: z.string(),
});

/** Decrypts AEAD_AES_256_GCM as in WeChat's documentation. @throws on a wrong tag */
export function decrypt(resource: unknown, apiV3Key: string): string {
  const { ciphertext, associated_data: data, nonce } = encrypted.parse(resource);
  const bytes = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', apiV3Key, nonce, { authTagLength: 16 });
  decipher.setAAD(Buffer.from(data));
  decipher.setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString();
}

export function open(
  body: string,
  apiV3Key: string,
): { id: string; eventType: string; content: unknown } {
  const parsed = envelope.parse(JSON.parse(body));
  const content: unknown = JSON.parse(decrypt(parsed.resource, apiV3Key));
  return { id: parsed.id, eventType: parsed.event_type, content };
}
