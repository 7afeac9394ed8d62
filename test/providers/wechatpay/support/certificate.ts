// Writes self-signed X.509 certificates without openssl.
import { createPublicKey, createSign, type KeyObject } from 'node:crypto';

/**
 * Writes a minimal self-signed X.509 v1 certificate (RFC 5280) as PEM: enough for
 * `X509Certificate` to read a serial, the dates and an RSA key.
 */
export function makeCertificate(input: {
  /** Hexadecimal. */
  readonly serial: string;
  readonly privateKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
}): string {
  const algorithm = sequence(SHA256_WITH_RSA, der(0x05, Buffer.alloc(0)));
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from('Tenpay test')))));
  const spki = createPublicKey(input.privateKey).export({ type: 'spki', format: 'der' });
  const toBeSigned = sequence(
    positiveInteger(Buffer.from(input.serial, 'hex')),
    algorithm,
    name,
    sequence(generalizedTime(input.notBefore), generalizedTime(input.notAfter)),
    name,
    spki,
  );
  const signature = createSign('RSA-SHA256').update(toBeSigned).sign(input.privateKey);
  const unusedBits = Buffer.from([0]);
  const bitString = der(0x03, Buffer.concat([unusedBits, signature]));
  const base64 = sequence(toBeSigned, algorithm, bitString).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** 1.2.840.113549.1.1.11 */
const SHA256_WITH_RSA = der(0x06, Buffer.from('2a864886f70d01010b', 'hex'));
/** 2.5.4.3 */
const COMMON_NAME = der(0x06, Buffer.from('550403', 'hex'));

function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** A leading zero byte keeps the sign bit clear. */
function positiveInteger(bytes: Buffer): Buffer {
  const first = bytes[0] ?? 0;
  return der(0x02, first >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

/** `YYYYMMDDHHMMSSZ` */
function generalizedTime(date: Date): Buffer {
  const digits = date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replaceAll(/[^0-9]/g, '');
  return der(0x18, Buffer.from(`${digits}Z`));
}
