// Reads WeChat's platform certificates from the response of `GET /v3/certificates`.
import { X509Certificate, type KeyObject } from 'node:crypto';
import { parseObject } from '../fields/parse-object';
import { openResource } from '../crypto/resource-cipher';
import { certificatesResponse } from '../fields/response-schemas';
import { verifyMessage } from '../crypto/signature';
import type { TransportResponse } from '../transport/transport';

/** A platform certificate of WeChat, parsed once. */
export interface PlatformCertificate {
  /** Hexadecimal, upper case. */
  readonly serial: string;
  readonly key: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type CertificatesReading =
  | { readonly kind: 'read'; readonly certificates: readonly PlatformCertificate[] }
  | { readonly kind: 'unusable'; readonly detail: string };

/**
 * Reads the response of `GET /v3/certificates`. It may be signed by a certificate that is only in
 * it, so it is decrypted first (AEAD shows that the holder of the APIv3 key made it) and its
 * signature is checked with the keys known so far and the new ones; nothing is taken before that.
 *
 * @param context.knownKey the key of a serial known so far, or null.
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012551764
 */
export function readCertificates(
  response: TransportResponse,
  context: {
    readonly apiV3Keys: readonly KeyObject[];
    readonly nowMs: number;
    readonly knownKey: (serial: string) => KeyObject | null;
  },
): CertificatesReading {
  if (response.kind === 'failed') return { kind: 'unusable', detail: response.detail };
  if (response.status !== 200) return { kind: 'unusable', detail: `status ${response.status}` };
  const listed = certificatesResponse.safeParse(parseObject(response.body.toString()));
  if (!listed.success) return { kind: 'unusable', detail: 'not a list of certificates' };
  const certificates: PlatformCertificate[] = [];
  for (const item of listed.data.data) {
    const sealed = item.encrypt_certificate;
    const pem = openResource(
      {
        ciphertext: sealed.ciphertext,
        nonce: sealed.nonce,
        associatedData: sealed.associated_data,
      },
      context.apiV3Keys,
    );
    const certificate = pem === null ? null : parseCertificate(pem, item.serial_no);
    if (certificate !== null) certificates.push(certificate);
  }
  if (certificates.length === 0) return { kind: 'unusable', detail: 'no readable certificate' };
  const verdict = verifyMessage({
    headers: response.headers,
    rawBody: response.body,
    nowMs: context.nowMs,
    keyOf: (serial) =>
      context.knownKey(serial) ??
      certificates.find((one) => one.serial === serial.toUpperCase() && isValid(one, context.nowMs))
        ?.key ??
      null,
  });
  if (verdict.kind !== 'valid') return { kind: 'unusable', detail: `signature: ${verdict.kind}` };
  return { kind: 'read', certificates };
}

/** True within the certificate's own dates. */
export function isValid(certificate: PlatformCertificate, nowMs: number): boolean {
  return certificate.notBeforeMs <= nowMs && nowMs <= certificate.notAfterMs;
}

function parseCertificate(pem: Buffer, listedSerial: string): PlatformCertificate | null {
  try {
    const certificate = new X509Certificate(pem);
    const key = certificate.publicKey;
    const serial = listedSerial.toUpperCase();
    const isSame = withoutZeros(certificate.serialNumber) === withoutZeros(serial);
    const notBeforeMs = Date.parse(certificate.validFrom);
    const notAfterMs = Date.parse(certificate.validTo);
    const isDated = !Number.isNaN(notBeforeMs) && !Number.isNaN(notAfterMs);
    if (key.asymmetricKeyType !== 'rsa' || !isSame || !isDated) return null;
    return { serial, key, notBeforeMs, notAfterMs };
  } catch {
    return null;
  }
}

function withoutZeros(serial: string): string {
  return serial.toUpperCase().replace(/^0+/, '');
}
