// Writes many rows with COPY, as they come, without holding them.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Client, type PoolClient, type Submittable } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';

/** A value of a column; null is SQL's NULL. */
export type CopyValue = string | number | boolean | null;

/**
 * Copies rows into a table, inside the transaction that is open on the connection. When a batch
 * fails to come, COPY fails, and nothing of it stays.
 * @param target a table with its columns, as it stands in the statement
 * @param batches rows in the order of the columns
 * @throws the error of the batches, or the one of the server
 */
export async function copyRows(
  client: PoolClient,
  target: string,
  batches: AsyncIterable<readonly (readonly CopyValue[])[]>,
): Promise<void> {
  // A pool's connection has a `query` of its own that takes statements alone, and no streams.
  const copy = copyFrom(`COPY ${target} FROM STDIN`);
  const submit: (statement: Submittable) => unknown = Client.prototype.query.bind(client);
  submit(copy);
  await pipeline(Readable.from(textOf(batches)), copy);
}

async function* textOf(
  batches: AsyncIterable<readonly (readonly CopyValue[])[]>,
): AsyncGenerator<Buffer> {
  for await (const rows of batches) {
    if (rows.length > 0) yield Buffer.from(`${rows.map(rowText).join('\n')}\n`);
  }
}

const rowText = (row: readonly CopyValue[]): string => row.map(valueText).join('\t');

function valueText(value: CopyValue): string {
  if (value === null) return '\\N';
  // PostgreSQL's text can't hold the character 0.
  return String(value)
    .replaceAll('\u0000', '')
    .replace(/[\\\t\n\r]/g, (character) => ESCAPES[character] ?? character);
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\t': '\\t',
  '\n': '\\n',
  '\r': '\\r',
};
