// Decrypts single fields of a request with WeChat's private key.
import { paramError, type Reply } from './reply';
import { decryptField } from '../keys/crypto';
import type { Call } from './endpoint';

/**
 * Reads fields with the key of WeChat that the request's `Wechatpay-Serial` names; null when it
 * can't.
 */
export function fieldReader({ merchant, req }: Call): (text: string) => string | null {
  const serial = req.get('wechatpay-serial');
  const keys = [merchant.platformPublicKey(), ...merchant.certificates()];
  const key = keys.find((one) => one?.serial === serial) ?? null;
  return (text) => (key === null ? null : decryptField(key.privateKey, text));
}

/** @param field `/name` */
export function undecryptable(field: string): Reply {
  return paramError('敏感信息解密失败', {
    field,
    issue: 'not encrypted with the key that Wechatpay-Serial names',
    location: 'body',
  });
}
