// A logger whose lines a test can read.
import { createLogger, type Logger } from '../../../config/logger';

/** A logger whose lines a test can read. */
export function createTestLog(): { logger: Logger; events: (name?: string) => string[] } {
  const lines: { level: string; msg: string }[] = [];
  const logger = createLogger({
    level: 'debug',
    service: 'api',
    destination: { write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]) },
  });
  return {
    logger,
    events: (name) =>
      lines
        .filter(({ msg }) => name === undefined || msg === name)
        .map(({ level, msg }) => `${level} ${msg}`),
  };
}
