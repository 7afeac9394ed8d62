import { pino, type Logger } from 'pino';

export type { Logger };

/** What never belongs into a log (S19), wherever it stands in an entry. */
const SECRETS = [
  'authorization',
  'openid',
  'client_ip',
  'clientIp',
  'password',
  'secret',
  'apiKey',
  'privateKey',
  'resource',
  'ciphertext',
  'headers',
  'body',
];
const REDACTED = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

/** JSON lines on stdout: event name and ids. Errors keep type, message and stack, not what hangs on them. */
export function createLogger(options: { level: string; service: 'api' | 'worker' }): Logger {
  return pino({
    level: options.level,
    base: { service: options.service, pid: process.pid },
    redact: { paths: REDACTED, censor: '[redacted]' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializeError },
  });
}

function serializeError(error: unknown): object {
  if (!(error instanceof Error)) return { message: 'not an Error' };
  const { name, message, stack } = error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type: name, message: message.slice(0, 1_000), stack, ...code };
}
