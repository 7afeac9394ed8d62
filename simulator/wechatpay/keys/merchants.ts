// Holds the merchants of the simulator with WeChat's own keys for each.
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { createCertificate, createSerial } from './certificate';
import { createKeyPair, randomDigits, type KeyPair } from './crypto';
import type { PlatformKeyMode, SimulatorMerchant } from '../options';

/** A platform certificate lives five years, as WeChat's do. */
const CERTIFICATE_LIFE_MS = 5 * 365 * 24 * 3_600_000;
const CERTIFICATE_AGE_MS = 24 * 3_600_000;
const API_V3_KEY_BYTES = 32;

export interface SigningKey {
  /** A key that signs, with its `Wechatpay-Serial`: a `PUB_KEY_ID_…` or a certificate's serial. */
  readonly serial: string;
  readonly privateKey: KeyObject;
}

export interface PlatformCertificate extends SigningKey {
  readonly pem: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface PlatformPublicKey extends SigningKey {
  readonly publicKeyPem: string;
}

/** One merchant as the simulator holds it: keys parsed once, and WeChat's own keys for it. */
export interface Merchant {
  readonly merchantId: string;
  readonly appIds: ReadonlySet<string>;
  readonly merchantSerial: string;
  readonly publicKey: KeyObject;
  readonly apiV3Key: string;
  readonly mode: PlatformKeyMode;
  /** The current public key; null in certificate mode. */
  platformPublicKey(): PlatformPublicKey | null;
  /** All platform certificates that are in use, the newest last. */
  certificates(): readonly PlatformCertificate[];
  /** The key for the next reply or callback; in mixed mode the keys alternate. */
  nextSigningKey(): SigningKey;
  rotatePublicKey(): Promise<PlatformPublicKey>;
  /** Adds a certificate that signs from now on; the older ones stay listed. */
  rotateCertificate(): Promise<PlatformCertificate>;
}

function platformPublicKey(id: string, keys: KeyPair): PlatformPublicKey {
  return {
    serial: id,
    privateKey: keys.privateKey,
    publicKeyPem: keys.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

async function makeCertificate(nowMs: number): Promise<PlatformCertificate> {
  const keys = await createKeyPair();
  const serial = createSerial();
  // Whole seconds, because X.509 has no smaller unit.
  const notBeforeMs = Math.floor((nowMs - CERTIFICATE_AGE_MS) / 1000) * 1000;
  const notAfterMs = notBeforeMs + CERTIFICATE_LIFE_MS;
  const pem = createCertificate(keys, serial, new Date(notBeforeMs), new Date(notAfterMs));
  return { serial, privateKey: keys.privateKey, pem, notBeforeMs, notAfterMs };
}

async function firstKeys(options: SimulatorMerchant): Promise<KeyPair> {
  if (options.platformPrivateKey === undefined) return createKeyPair();
  const privateKey = createPrivateKey(options.platformPrivateKey);
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function checkOptions(options: SimulatorMerchant): void {
  if (Buffer.byteLength(options.apiV3Key) !== API_V3_KEY_BYTES) {
    throw new RangeError(`the APIv3 key of ${options.merchantId} must have 32 bytes`);
  }
  if (options.appIds.length === 0) {
    throw new RangeError(`merchant ${options.merchantId} needs at least one app id`);
  }
}

/**
 * Makes WeChat's side of a merchant: parses its public key, generates platform keys.
 * @throws RangeError when the APIv3 key or the app ids can't be WeChat's.
 */
export async function createMerchant(
  options: SimulatorMerchant,
  now: () => number,
): Promise<Merchant> {
  checkOptions(options);
  const mode = options.mode ?? 'public_key';
  const certificates = mode === 'public_key' ? [] : [await makeCertificate(now())];
  let publicKey =
    mode === 'certificate'
      ? null
      : platformPublicKey(
          options.publicKeyId ?? `PUB_KEY_ID_01${randomDigits(30)}`,
          await firstKeys(options),
        );
  let turn = 0;
  const merchantKey = options.merchantPublicKey;
  return {
    merchantId: options.merchantId,
    appIds: new Set(options.appIds),
    merchantSerial: options.merchantSerial,
    publicKey: typeof merchantKey === 'string' ? createPublicKey(merchantKey) : merchantKey,
    apiV3Key: options.apiV3Key,
    mode,
    platformPublicKey: () => publicKey,
    certificates: () => certificates,
    nextSigningKey: () => {
      const keys = [publicKey, certificates.at(-1)].filter(
        (key) => key !== null && key !== undefined,
      );
      const key = keys[turn++ % keys.length];
      if (key === undefined) throw new Error('a merchant without platform keys');
      return key;
    },
    rotatePublicKey: async () => {
      publicKey = platformPublicKey(`PUB_KEY_ID_01${randomDigits(30)}`, await createKeyPair());
      return publicKey;
    },
    rotateCertificate: async () => {
      const certificate = await makeCertificate(now());
      certificates.push(certificate);
      return certificate;
    },
  };
}
