/** Keys and addresses as the configuration hands them over. */
export const secrets = {
  encryptionKeys: [{ id: 'k1', key: Buffer.alloc(32, 1) }],
  hashKey: Buffer.alloc(32, 2),
  notifyUrl: 'https://shop.example/callbacks/wechat',
};
