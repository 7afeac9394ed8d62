import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/** What never belongs into a log (S19), wherever it stands in an entry and however it is written. */
const SECRET_NAME = new RegExp(
  [
    '^(resource|ciphertext|plaintext|headers|body|rawbody|payer)$',
    'authorization|cookie|openid|clientip|password|secret|token$|sign$|signature$|payparameters',
    '(api|apiv3|private|encryption|hash)keys?$',
  ].join('|'),
);
const REDACTED = '[redacted]';
/** Entries are event names and ids; what lies deeper than this is cut off. */
const MAX_DEPTH = 6;

/**
 * JSON lines: event name and ids. Errors keep type, message and stack, not what hangs on them. The
 * bindings of a child logger are not looked through (pino formats them itself): give it ids alone.
 * @param options.destination where the lines go; stdout unless told
 */
export function createLogger(options: {
  level: string;
  service: 'api' | 'worker';
  destination?: DestinationStream;
}): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (entry) => redactFields(entry, 0),
      },
      // By now an Error is what serializeError left of it; anything else that was thrown could hold anything.
      serializers: {
        err: (value: unknown) => (typeof value === 'object' ? value : { message: 'not an Error' }),
      },
    },
    options.destination,
  );
}

function redactFields(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]: [string, unknown]) => [
      name,
      isSecretName(name) ? REDACTED : redactValue(value, depth + 1),
    ]),
  );
}

function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.toLowerCase().replaceAll(/[_-]/g, ''));
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (value instanceof Error) return serializeError(value);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= MAX_DEPTH) return '[too deep]';
  if (Array.isArray(value)) return value.map((item: unknown) => redactValue(item, depth + 1));
  return redactFields(value, depth);
}

function serializeError(error: Error): object {
  const { name, message, stack } = error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type: name, message: message.slice(0, 1_000), stack, ...code };
}
