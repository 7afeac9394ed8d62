import type { KeyObject } from 'node:crypto';

/** What WeChat signs with: its public key, its certificates, or (while a merchant moves) both. */
export type PlatformKeyMode = 'public_key' | 'certificate' | 'mixed';

export interface SimulatorMerchant {
  readonly merchantId: string;
  readonly appIds: readonly string[];
  /** Serial of the merchant's API certificate: `serial_no` of its requests. */
  readonly merchantSerial: string;
  /** PEM text or KeyObject: what the merchant's request signatures are verified with. */
  readonly merchantPublicKey: string | KeyObject;
  /** 32 bytes. */
  readonly apiV3Key: string;
  /** Default `public_key`. */
  readonly mode?: PlatformKeyMode | undefined;
  /** `PUB_KEY_ID_…`; made up when absent. */
  readonly publicKeyId?: string | undefined;
  /** PEM of the platform's private key behind `publicKeyId`, to survive a restart; else made up. */
  readonly platformPrivateKey?: string | undefined;
}

export interface SimulatorOptions {
  readonly merchants: readonly SimulatorMerchant[];
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** Divides the gaps between callback retries. Default 1: WeChat's own 24 hours. */
  readonly clockSpeed?: number | undefined;
  /** How long a callback may take to be answered. Default WeChat's 5,000 ms. */
  readonly callbackTimeoutMs?: number | undefined;
  /** In public-key mode requests must carry `Wechatpay-Serial: PUB_KEY_ID_…`. Default true. */
  readonly requirePlatformSerial?: boolean | undefined;
  /** Closes within this time from the order's creation are refused. Default 0: none. */
  readonly refuseCloseWithinMs?: number | undefined;
  /** Refunds of one payment are this far apart. Default 0: no limit. */
  readonly refundSpacingMs?: number | undefined;
  /** How many refunds may be asked for in a second, WeChat's 150. Default 0: no limit. */
  readonly refundsPerSecond?: number | undefined;
  /** How many requests for refunds may fail in a second, WeChat's 6. Default 0: no limit. */
  readonly failingRefundsPerSecond?: number | undefined;
  /** Sharings within this time from the payment are refused. Default WeChat's 60,000 ms. */
  readonly shareableAfterMs?: number | undefined;
  /** How much of a payment can be shared, in percent. Default 30. */
  readonly maxSharingPercent?: number | undefined;
  /** Wall clock, in ms since 1970; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}
