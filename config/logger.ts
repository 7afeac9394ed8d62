// Makes the logger: JSON lines, without secrets and personal data.
import { pino, type DestinationStream, type Logger } from 'pino';

export type { Logger };

/**
 * Names of fields that never belong in a log (S19), at any depth of an entry, in any case, and with
 * any separators.
 */
const SECRET_NAME = new RegExp(
  [
    '^(resource|ciphertext|plaintext|headers|body|rawbody|payer)$',
    'authorization|cookie|openid|clientip|password|secret|token$|sign$|signature$|payparameters',
    '(api|apiv3|private|encryption|hash)keys?$',
  ].join('|'),
);
const REDACTED = '[redacted]';
/** Entries are event names and ids; deeper values are cut off. */
const MAX_DEPTH = 6;

/**
 * Makes a logger of JSON lines: event name and ids. An error keeps its type, message, code and the
 * frames of its stack; its other properties are dropped. The bindings of a child logger are not
 * checked, because pino formats them itself: give it ids alone.
 * @param options.destination where the lines go; stdout by default
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
      // An Error is what serializeError made of it by now. Any other thrown value may hold a
      // secret.
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
  const { name, message } = error;
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type: name, message: message.slice(0, 1_000), stack: framesOf(error), ...code };
}

/**
 * The stack without the message, which begins it: the message stands beside it, and is cut there. A
 * message may have lines that look like frames.
 */
function framesOf({ message, stack = '' }: Error): string {
  const start = stack.indexOf(message);
  const rest = start < 0 ? stack : stack.slice(start + message.length);
  return rest
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n');
}
