// Unpacks a downloaded bill on its way, where it is packed.
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { BrokenDownload, type DownloadBody } from '../transport/downloads';

/** A bill of 16 million lines. Broken or evil bytes can unpack to a thousand times their size. */
const MAX_BILL_BYTES = 4 * 1024 ** 3;

/** RFC 1952. The bytes decide: WeChat may send a plain file where a packed one was requested. */
const GZIP_MARK = Buffer.from([0x1f, 0x8b]);

/**
 * The bytes of a bill, unpacked if they are gzip. Leaving the iteration ends the download.
 *
 * @throws BrokenDownload when the download breaks, the gzip is cut or damaged, or the bill is
 *   larger than `maxBytes`.
 */
export async function* unpacked(
  download: DownloadBody,
  maxBytes = MAX_BILL_BYTES,
): AsyncGenerator<Buffer> {
  let size = 0;
  try {
    for await (const piece of maybeGunzipped(download)) {
      size += piece.length;
      if (size > maxBytes) {
        throw new BrokenDownload('NETWORK_ERROR', `the bill is larger than ${maxBytes} bytes`);
      }
      yield piece;
    }
  } finally {
    download.leave();
  }
}

async function* maybeGunzipped(download: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const source = download[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < GZIP_MARK.length) {
    const next = await source.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const pieces = continued(head, source);
  if (head.subarray(0, GZIP_MARK.length).equals(GZIP_MARK)) yield* gunzipped(pieces);
  else yield* pieces;
}

async function* continued(head: Buffer, source: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    if (head.length > 0) yield head;
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      yield next.value;
    }
  } finally {
    await source.return?.();
  }
}

async function* gunzipped(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const packed = Readable.from(pieces, { objectMode: false });
  // A failure on either side destroys the other, and so it reaches the iteration below.
  const plain = pipeline(packed, createGunzip(), () => undefined);
  try {
    for await (const piece of plain) yield piece as Buffer;
  } catch (error) {
    if (error instanceof BrokenDownload) throw error;
    throw new BrokenDownload('NETWORK_ERROR', 'the packed file is cut or damaged');
  }
}
