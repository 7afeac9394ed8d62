import type { KeyObject } from 'node:crypto';
import { isValid, readCertificates, type PlatformCertificate } from './certificates';
import { verifyMessage, type SignatureCheck, type VerifyInput } from '../crypto/signature';
import type { TransportResponse } from '../transport/transport';

/**
 * At most one look for certificates in this time. Anybody can invent serials, so it costs WeChat
 * five requests a minute at worst; and it is shorter than the first repeat of a callback (15 s),
 * so a real rotation is found at the latest by then.
 */
export const CERTIFICATE_FETCH_INTERVAL_MS = 12_000;

/** A callback waits for this: WeChat gives up after 5 s. */
export const CERTIFICATE_FETCH_TIMEOUT_MS = 3_000;

/** Certificates live five years and overlap for days: more than a few side by side is a mistake. */
const MAX_CERTIFICATES = 16;

const PUBLIC_KEY_PREFIX = 'PUB_KEY_ID_';

export type PlatformKeysEvent =
  | { readonly event: 'wechat.certificates_taken'; readonly serials: readonly string[] }
  | { readonly event: 'wechat.certificates_failed'; readonly detail: string };

export interface PlatformKeysDeps {
  /** WeChat's public key, for merchants that have one; else platform certificates alone. */
  readonly publicKey?: { readonly id: string; readonly key: KeyObject } | undefined;
  readonly apiV3Keys: readonly KeyObject[];
  /** ms since 1970. */
  readonly now: () => number;
  /** A signed `GET /v3/certificates` within {@link CERTIFICATE_FETCH_TIMEOUT_MS}. */
  readonly fetchCertificates: () => Promise<TransportResponse>;
  readonly onEvent?: ((event: PlatformKeysEvent) => void) | undefined;
}

export interface PlatformKeys {
  /** The key of a serial, if it is here and within its dates. No I/O: the hot path. */
  known(serial: string): KeyObject | null;
  /** As {@link known}; an unknown serial is looked for at WeChat, now and then. Never throws. */
  keyFor(serial: string): Promise<KeyObject | null>;
  /**
   * The key that fields for WeChat are encrypted with: the public key, else the newest certificate.
   * Null where there is none, also after a look. Never throws.
   */
  encryptionKey(): Promise<{ readonly serial: string; readonly key: KeyObject } | null>;
  /** Looks for new certificates where any are in use; to be called every 12 h. Never throws. */
  refresh(): Promise<void>;
  /** The first look, where there is no public key. Never throws: the api starts without WeChat. */
  warmUp(): Promise<void>;
}

/**
 * WeChat's keys, several side by side: which one counts is said by each message. While a merchant
 * moves from certificates to the public key, WeChat uses both, outside the merchant's control.
 */
export function createPlatformKeys(deps: PlatformKeysDeps): PlatformKeys {
  const certificates = new Map<string, PlatformCertificate>();
  let lastFetchMs: number | null = null;
  let underWay: Promise<void> | null = null;

  const known = (serial: string): KeyObject | null => {
    if (serial === deps.publicKey?.id) return deps.publicKey.key;
    const certificate = certificates.get(serial.toUpperCase());
    return certificate !== undefined && isValid(certificate, deps.now()) ? certificate.key : null;
  };
  const fetchOnce = async (): Promise<void> => {
    const answer = await deps.fetchCertificates();
    const reading = readCertificates(answer, {
      apiV3Keys: deps.apiV3Keys,
      nowMs: deps.now(),
      knownKey: known,
    });
    if (reading.kind === 'unusable') {
      deps.onEvent?.({ event: 'wechat.certificates_failed', detail: reading.detail });
      return;
    }
    for (const certificate of reading.certificates) {
      certificates.set(certificate.serial, certificate);
    }
    dropOldest(certificates);
    const serials = reading.certificates.map((certificate) => certificate.serial);
    deps.onEvent?.({ event: 'wechat.certificates_taken', serials });
  };
  const fetchNowAndThen = (): Promise<void> => {
    if (underWay !== null) return underWay;
    const sinceLastMs = lastFetchMs === null ? -1 : deps.now() - lastFetchMs;
    // Negative also after the clock was set back: then a look is due.
    if (sinceLastMs >= 0 && sinceLastMs < CERTIFICATE_FETCH_INTERVAL_MS) return Promise.resolve();
    lastFetchMs = deps.now();
    underWay = fetchOnce().finally(() => {
      underWay = null;
    });
    return underWay;
  };
  return {
    known,
    async keyFor(serial) {
      const key = known(serial);
      // A public key is never fetched: its id says all, and there is one.
      if (key !== null || serial.startsWith(PUBLIC_KEY_PREFIX)) return key;
      await fetchNowAndThen();
      return known(serial);
    },
    async encryptionKey() {
      if (deps.publicKey !== undefined) {
        return { serial: deps.publicKey.id, key: deps.publicKey.key };
      }
      const known = newest(certificates, deps.now());
      if (known !== null) return known;
      await fetchNowAndThen();
      return newest(certificates, deps.now());
    },
    refresh: () =>
      deps.publicKey === undefined || certificates.size > 0 ? fetchNowAndThen() : Promise.resolve(),
    warmUp: () => (deps.publicKey === undefined ? fetchNowAndThen() : Promise.resolve()),
  };
}

/** {@link verifyMessage} with a key ring: waits for I/O only when the serial is unknown. */
export async function verifyWithRing(
  input: Omit<VerifyInput, 'keyOf'>,
  keys: Pick<PlatformKeys, 'known' | 'keyFor'>,
): Promise<SignatureCheck> {
  const verdict = verifyMessage({ ...input, keyOf: keys.known });
  if (verdict.kind !== 'unknown_serial') return verdict;
  const key = await keys.keyFor(verdict.serial);
  return key === null ? verdict : verifyMessage({ ...input, keyOf: () => key });
}

/** Of those within their dates. */
function newest(
  certificates: ReadonlyMap<string, PlatformCertificate>,
  nowMs: number,
): PlatformCertificate | null {
  const usable = [...certificates.values()].filter((one) => isValid(one, nowMs));
  return usable.sort((a, b) => b.notBeforeMs - a.notBeforeMs)[0] ?? null;
}

function dropOldest(certificates: Map<string, PlatformCertificate>): void {
  const byEnd = [...certificates.values()].sort((a, b) => a.notAfterMs - b.notAfterMs);
  for (const certificate of byEnd.slice(0, Math.max(0, byEnd.length - MAX_CERTIFICATES))) {
    certificates.delete(certificate.serial);
  }
}
