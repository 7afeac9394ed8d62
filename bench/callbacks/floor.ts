// The floor of the callback path, a process of its own: bare node:http that verifies, decrypts,
// parses and commits one plain insert, and nothing else. Its argument is a FloorConfig as JSON.
import { createDecipheriv, createPublicKey, createSecretKey, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Pool } from 'pg';

export interface FloorConfig {
  readonly port: number;
  readonly databaseUrl: string;
  readonly publicKeyPem: string;
  readonly apiV3Key: string;
}

interface Envelope {
  readonly id: string;
  readonly resource: { ciphertext: string; nonce: string; associated_data: string };
}

/** As many as callers, so that PostgreSQL can commit their inserts as one group. */
const CONNECTIONS = 16;
const TAG_BYTES = 16;

const config = JSON.parse(process.argv[2] ?? '{}') as FloorConfig;
const publicKey = createPublicKey(config.publicKeyPem);
const apiV3Key = createSecretKey(Buffer.from(config.apiV3Key));
const pool = new Pool({ connectionString: config.databaseUrl, max: CONNECTIONS });

function isSigned({ headers }: IncomingMessage, body: Buffer): boolean {
  const head = `${String(headers['wechatpay-timestamp'])}\n${String(headers['wechatpay-nonce'])}\n`;
  const text = Buffer.concat([Buffer.from(head), body, Buffer.from('\n')]);
  const signature = Buffer.from(String(headers['wechatpay-signature']), 'base64');
  return verify('RSA-SHA256', text, publicKey, signature);
}

function decrypt({ ciphertext, nonce, associated_data: aad }: Envelope['resource']): string {
  const sealed = Buffer.from(ciphertext, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', apiV3Key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  decipher.setAAD(Buffer.from(aad));
  const text = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  return Buffer.concat([text, decipher.final()]).toString();
}

async function accept(request: IncomingMessage, body: Buffer): Promise<number> {
  if (!isSigned(request, body)) return 401;
  const envelope = JSON.parse(body.toString()) as Envelope;
  const text = decrypt(envelope.resource);
  const { out_trade_no: outTradeNo } = JSON.parse(text) as { out_trade_no: string };
  await pool.query({
    name: 'floor-insert',
    text: `INSERT INTO floor_callbacks (id, out_trade_no, resource) VALUES ($1, $2, $3)
      ON CONFLICT (id) DO NOTHING`,
    values: [envelope.id, outTradeNo, text],
  });
  return 204;
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    accept(request, Buffer.concat(chunks)).then(
      (status) => response.writeHead(status).end(),
      () => response.writeHead(503).end(),
    );
  });
}

async function main(): Promise<void> {
  await pool.query(
    'CREATE TABLE floor_callbacks (id text PRIMARY KEY, out_trade_no text, resource text)',
  );
  createServer((request, response) => {
    if (request.method === 'POST') serve(request, response);
    else response.writeHead(200).end();
  }).listen(config.port, '127.0.0.1');
}

void main();
