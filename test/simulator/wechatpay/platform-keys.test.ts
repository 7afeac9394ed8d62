// The simulator's platform certificates and public keys.
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { createCertificate, createSerial } from '../../../simulator/wechatpay/keys/certificate';
import { createKeyPair } from '../../../simulator/wechatpay/keys/crypto';
import { decrypt } from './support/callback-receiver';
import { call, isSignedBy, query, start, type Fixture } from './support/merchant-client';

const listing = z.object({
  data: z.array(z.object({ serial_no: z.string(), encrypt_certificate: z.unknown() })),
});

async function certificates(fixture: Fixture): Promise<Map<string, X509Certificate>> {
  const answer = await call(fixture, { method: 'GET', path: '/v3/certificates' });
  expect(answer.status).toBe(200);
  const { apiV3Key } = fixture.credentials;
  const found = listing
    .parse(answer.json)
    .data.map((entry): [string, X509Certificate] => [
      entry.serial_no,
      new X509Certificate(decrypt(entry.encrypt_certificate, apiV3Key)),
    ]);
  const known = new Map(found);
  const signer = known.get(answer.headers.get('wechatpay-serial') ?? '');
  if (signer !== undefined) {
    expect(isSignedBy(signer, (name) => answer.headers.get(name), answer.text)).toBe(true);
  }
  return known;
}

describe('a certificate that the simulator writes', () => {
  it('a written certificate is read by X509Certificate, with a valid signature', async () => {
    const keys = await createKeyPair();
    const serial = createSerial();
    const notAfter = new Date('2061-05-06T07:08:09Z');
    const pem = createCertificate(keys, serial, new Date('2026-01-02T03:04:05Z'), notAfter);
    const certificate = new X509Certificate(pem);
    expect(certificate.serialNumber).toBe(serial);
    expect(new Date(certificate.validFrom)).toEqual(new Date('2026-01-02T03:04:05Z'));
    expect(new Date(certificate.validTo)).toEqual(notAfter);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(keys.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(keys.privateKey)).toBe(true);
  });
});

describe('certificate mode of the simulator', () => {
  it('listed certificates verify the responses, also after a rotation', async () => {
    const fixture = await start('certificate');
    expect(fixture.simulator.publicKeyOf()).toBeNull();
    const before = await certificates(fixture);
    const rotated = await fixture.simulator.rotateCertificate();
    const after = await certificates(fixture);
    expect([...after.keys()]).toEqual([...before.keys(), rotated.serial]);
    const answer = await query(fixture, 'not-there');
    expect(answer.headers.get('wechatpay-serial')).toBe(rotated.serial);
    const key = after.get(rotated.serial) ?? '';
    expect(isSignedBy(key, (name) => answer.headers.get(name), answer.text)).toBe(true);
    await fixture.simulator.close();
  });
});

describe('mixed mode of the simulator', () => {
  it('mixed mode signs by public key and certificate in turn', async () => {
    const fixture = await start('mixed');
    const [serial] = [...(await certificates(fixture)).keys()];
    const seen = new Set<string | null>();
    for (let i = 0; i < 2; i++) {
      seen.add((await query(fixture, 'not-there')).headers.get('wechatpay-serial'));
    }
    expect(seen).toEqual(new Set([fixture.simulator.publicKeyOf()?.id, serial]));
    await fixture.simulator.close();
  });
});

describe('public-key mode of the simulator', () => {
  it('public-key mode has no certificates and signs by a new key once rotated', async () => {
    const fixture = await start('public_key');
    const none = await call(fixture, { method: 'GET', path: '/v3/certificates' });
    expect(none.json).toMatchObject({ code: 'RESOURCE_NOT_EXISTS' });
    const old = fixture.simulator.publicKeyOf();
    const rotated = await fixture.simulator.rotateKey();
    expect(rotated.id).not.toBe(old?.id);
    const answer = await query(fixture, 'not-there');
    expect(answer.headers.get('wechatpay-serial')).toBe(rotated.id);
    expect(isSignedBy(rotated.pem, (name) => answer.headers.get(name), answer.text)).toBe(true);
    await fixture.simulator.close();
  });
});
