// Makes self-signed X.509 certificates.
import { randomBytes, sign } from 'node:crypto';
import type { KeyPair } from './crypto';

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
  extensions: 0xa3,
} as const;
const SHA256_WITH_RSA = Buffer.from('2a864886f70d01010b', 'hex');
const OID_COMMON_NAME = Buffer.from('550403', 'hex');
const OID_ORGANIZATION = Buffer.from('55040a', 'hex');
const OID_BASIC_CONSTRAINTS = Buffer.from('551d13', 'hex');
const FIRST_GENERALIZED_YEAR = 2050;
const SERIAL_BYTES = 20;

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), derLength(content.length), content]);
}

function derLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | bytes.length]), bytes]);
}

function time(at: Date): Buffer {
  const digits = at.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '');
  return at.getUTCFullYear() < FIRST_GENERALIZED_YEAR
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}

function name(organization: string, commonName: string): Buffer {
  const part = (oid: Buffer, value: string): Buffer =>
    der(
      TAG.set,
      der(TAG.sequence, der(TAG.oid, oid), der(TAG.utf8String, Buffer.from(value, 'utf8'))),
    );
  return der(TAG.sequence, part(OID_ORGANIZATION, organization), part(OID_COMMON_NAME, commonName));
}

/** A serial as WeChat's platform certificates have it: 40 upper-case hex digits. */
export function createSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  // The first byte from 0x40 to 0x7f: a positive DER integer that keeps all its digits.
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex').toUpperCase();
}

/**
 * A self-signed X.509 v3 certificate (RFC 5280) as PEM, which `new X509Certificate(pem)` reads.
 * Written by hand: Node makes no certificates, and openssl need not be on the machine.
 * @param serial 40 hex digits from {@link createSerial}.
 */
export function createCertificate(
  keys: KeyPair,
  serial: string,
  notBefore: Date,
  notAfter: Date,
): string {
  const algorithm = der(TAG.sequence, der(TAG.oid, SHA256_WITH_RSA), der(TAG.null));
  const subject = name('Oncepay simulator', 'WeChat Pay platform (simulated)');
  const constraints = der(
    TAG.sequence,
    der(TAG.oid, OID_BASIC_CONSTRAINTS),
    der(TAG.boolean, Buffer.from([0xff])),
    der(TAG.octetString, der(TAG.sequence)),
  );
  const toBeSigned = der(
    TAG.sequence,
    der(TAG.version, der(TAG.integer, Buffer.from([2]))),
    der(TAG.integer, Buffer.from(serial, 'hex')),
    algorithm,
    subject,
    der(TAG.sequence, time(notBefore), time(notAfter)),
    subject,
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    der(TAG.extensions, der(TAG.sequence, constraints)),
  );
  const signature = sign('sha256', toBeSigned, keys.privateKey);
  const certificate = der(
    TAG.sequence,
    toBeSigned,
    algorithm,
    der(TAG.bitString, Buffer.from([0]), signature),
  );
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
