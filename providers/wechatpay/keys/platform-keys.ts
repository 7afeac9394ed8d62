// Holds WeChat's public key and platform certificates, and fetches certificates that are missing.
import type { KeyObject } from 'node:crypto';
import { isValid, readCertificates, type PlatformCertificate } from './certificates';
import { verifyMessage, type SignatureCheck, type VerifyInput } from '../crypto/signature';
import type { TransportResponse } from '../transport/transport';

/**
 * Oncepay fetches certificates at most once in this time. Anybody can send invented
 * serials, so the limit keeps the load at five requests a minute. It is shorter than the first
 * repeat of a callback (15 s), so a new certificate is known when WeChat sends that repeat.
 */
export const CERTIFICATE_FETCH_INTERVAL_MS = 12_000;

/** A callback waits at most this long for the certificate: WeChat waits 5 s for our reply. */
export const CERTIFICATE_FETCH_TIMEOUT_MS = 3_000;

/**
 * A certificate is valid for five years and two overlap for days, so more than a few are a
 * mistake.
 */
const MAX_CERTIFICATES = 16;

const PUBLIC_KEY_PREFIX = 'PUB_KEY_ID_';

export type PlatformKeysEvent =
  | { readonly event: 'wechat.certificates_taken'; readonly serials: readonly string[] }
  | { readonly event: 'wechat.certificates_failed'; readonly detail: string };

export interface PlatformKeysDeps {
  /** WeChat's public key, for merchants that have one. Without it only certificates are used. */
  readonly publicKey?: { readonly id: string; readonly key: KeyObject } | undefined;
  readonly apiV3Keys: readonly KeyObject[];
  /** ms since 1970. */
  readonly now: () => number;
  /** A signed `GET /v3/certificates` within {@link CERTIFICATE_FETCH_TIMEOUT_MS}. */
  readonly fetchCertificates: () => Promise<TransportResponse>;
  readonly onEvent?: ((event: PlatformKeysEvent) => void) | undefined;
}

export interface PlatformKeys {
  /** The key of a serial, if it is known and valid now. No I/O, because every callback needs it. */
  known(serial: string): KeyObject | null;
  /** Like {@link known}, but fetches an unknown serial now and then. Never throws. */
  keyFor(serial: string): Promise<KeyObject | null>;
  /**
   * The key that encrypts fields for WeChat: the public key, or else the newest certificate. Null
   * where there is none, also after a fetch. Never throws.
   */
  encryptionKey(): Promise<{ readonly serial: string; readonly key: KeyObject } | null>;
  /**
   * Fetches new certificates where any are in use. The caller calls it every 12 h. Never
   * throws.
   */
  refresh(): Promise<void>;
  /**
   * Fetches certificates at the start, where there is no public key. Never throws, because
   * the api starts without WeChat too.
   */
  warmUp(): Promise<void>;
}

/**
 * Holds several of WeChat's keys side by side: each message names the key that signed it. WeChat
 * uses certificates and the public key together while a merchant moves from one to the other.
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
    const response = await deps.fetchCertificates();
    const reading = readCertificates(response, {
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
    // The difference is negative after somebody set the clock back: then fetch again.
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
      // WeChat offers no way to fetch a public key; the merchant copies it once.
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

/** Like {@link verifyMessage}, with a key ring: waits for I/O only when the serial is unknown. */
export async function verifyWithRing(
  input: Omit<VerifyInput, 'keyOf'>,
  keys: Pick<PlatformKeys, 'known' | 'keyFor'>,
): Promise<SignatureCheck> {
  const verdict = verifyMessage({ ...input, keyOf: keys.known });
  if (verdict.kind !== 'unknown_serial') return verdict;
  const key = await keys.keyFor(verdict.serial);
  return key === null ? verdict : verifyMessage({ ...input, keyOf: () => key });
}

/** Considers only certificates that are valid now. */
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
