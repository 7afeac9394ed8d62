// Downloads a bill: checks the origin of its URL, signs the request, and streams the file.
import { eventOf, fixedHeaders, type CallEvent } from '../calls/calls';
import { readOutcome, type WechatOutcome } from '../calls/outcome';
import type { SignedCalls } from '../calls/request-signing';
import type { PlatformKeys } from '../keys/platform-keys';
import type { DownloadBody, Downloads, OpenedDownload } from '../transport/downloads';
import { unpacked } from './unpack';

/** An error body of WeChat has some 200 bytes; the page of a proxy can be longer. */
const MAX_ERROR_BYTES = 64 * 1024;

type Unsettled = Exclude<WechatOutcome<unknown>, { kind: 'ok' }>;

/** The beginning of a download. */
export type BillDownload =
  /**
   * The file, unpacked, to be read once. It carries no signature: only its SHA-1 says whether it is
   * the bill. The iteration throws BrokenDownload.
   */
  | { readonly kind: 'stream'; readonly bytes: AsyncIterable<Buffer> }
  /** The URL is too old: request the bill anew. */
  | { readonly kind: 'expired' }
  /** The URL leads to another host than WeChat's: nothing was sent. */
  | { readonly kind: 'other_origin' }
  /** As for every call: `WECHAT_PERMISSION_DENIED` for another merchant's file. */
  | Extract<Unsettled, { kind: 'refused' }>
  /** No file came: it can be requested anew. */
  | (Omit<Extract<Unsettled, { kind: 'unknown' }>, 'kind'> & { readonly kind: 'broken' });

export interface BillDownloadDeps {
  readonly downloads: Downloads;
  readonly calls: Pick<SignedCalls, 'downloadHeaders'>;
  readonly keys: Pick<PlatformKeys, 'known' | 'keyFor'>;
  readonly publicKeyId: string | undefined;
  readonly now: () => number;
  readonly onEvent?: ((event: CallEvent) => void) | undefined;
}

/** The path and query of a URL of WeChat's origin, byte for byte; null for any other text. */
function pathAt(origin: string, downloadUrl: string): string | null {
  const [, site, path] = /^(https?:\/\/[^/?#\\@\s]+)(\/[\x21-\x7e]*)$/.exec(downloadUrl) ?? [];
  if (site === undefined || path === undefined || path.includes('#')) return null;
  return URL.canParse(site) && new URL(site).origin === origin ? path : null;
}

/** Makes the download of the client: one signed GET for each call. Never throws. */
export function createBillDownload(deps: BillDownloadDeps) {
  const fixed = fixedHeaders(deps.publicKeyId);
  return async (request: {
    readonly merchantId: string;
    readonly billDate: string;
    readonly downloadUrl: string;
    readonly signal?: AbortSignal | undefined;
  }): Promise<BillDownload> => {
    const { merchantId, billDate, downloadUrl, signal } = request;
    const path = pathAt(deps.downloads.origin, downloadUrl);
    if (path === null) return { kind: 'other_origin' };
    const startedMs = performance.now();
    const headers = { ...deps.calls.downloadHeaders(path, merchantId), ...fixed };
    const opened = await deps.downloads.open({ path, headers, signal });
    const outcome = await outcomeOf(opened, deps);
    deps.onEvent?.(eventOf({ operation: 'bill_download', billDate }, outcome, startedMs));
    switch (outcome.kind) {
      case 'ok':
        return { kind: 'stream', bytes: unpacked(outcome.value) };
      case 'refused':
        return outcome.wechatCode === 'INVALID_REQUEST' ? { kind: 'expired' } : outcome;
      case 'unknown':
        return { ...outcome, kind: 'broken' };
    }
  };
}

async function outcomeOf(
  opened: OpenedDownload,
  { keys, now }: Pick<BillDownloadDeps, 'keys' | 'now'>,
): Promise<WechatOutcome<DownloadBody>> {
  if (opened.kind === 'opened' && opened.status === 200) {
    return { kind: 'ok', value: opened.body, requestId: null };
  }
  const response =
    opened.kind === 'failed'
      ? opened
      : ({ ...opened, kind: 'responded', body: await beginningOf(opened.body) } as const);
  return readOutcome(response, { keys, now, read: () => null });
}

/** The body of an error, as far as it came. */
async function beginningOf(body: DownloadBody): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of body) {
      pieces.push(piece);
      size += piece.length;
      if (size >= MAX_ERROR_BYTES) break;
    }
  } catch {
    // A body that breaks off is no error of WeChat's that can be read: its status decides.
    return Buffer.alloc(0);
  }
  return Buffer.concat(pieces);
}
