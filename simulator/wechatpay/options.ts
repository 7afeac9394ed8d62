// The options with which a simulator starts.
import type { KeyObject } from 'node:crypto';

/**
 * The keys that WeChat signs with: its public key, its certificates, or both while a merchant
 * moves.
 */
export type PlatformKeyMode = 'public_key' | 'certificate' | 'mixed';

export interface SimulatorMerchant {
  readonly merchantId: string;
  readonly appIds: readonly string[];
  /** Serial of the merchant's API certificate: `serial_no` of its requests. */
  readonly merchantSerial: string;
  /** PEM text or KeyObject that verifies the signatures of the merchant's requests. */
  readonly merchantPublicKey: string | KeyObject;
  /** 32 bytes. */
  readonly apiV3Key: string;
  /** Default `public_key`. */
  readonly mode?: PlatformKeyMode | undefined;
  /** `PUB_KEY_ID_…`; made up when absent. */
  readonly publicKeyId?: string | undefined;
  /**
   * PEM of the platform's private key of `publicKeyId`, so that it survives a restart; else made
   * up.
   */
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
  /** The time within which a callback must get its reply. Default WeChat's 5,000 ms. */
  readonly callbackTimeoutMs?: number | undefined;
  /** In public-key mode requests must carry `Wechatpay-Serial: PUB_KEY_ID_…`. Default true. */
  readonly requirePlatformSerial?: boolean | undefined;
  /** Closes within this time from the order's creation are refused. Default 0: none. */
  readonly refuseCloseWithinMs?: number | undefined;
  /** The least time between two refunds of one payment. Default 0: no limit. */
  readonly refundSpacingMs?: number | undefined;
  /**
   * How many refund requests a merchant may send in a second; WeChat's limit is 150. Default 0: no
   * limit.
   */
  readonly refundsPerSecond?: number | undefined;
  /** How many refund requests may fail in a second; WeChat's limit is 6. Default 0: no limit. */
  readonly failingRefundsPerSecond?: number | undefined;
  /** Sharings within this time from the payment are refused. Default WeChat's 60,000 ms. */
  readonly shareableAfterMs?: number | undefined;
  /** The share of a payment that can be shared, in percent. Default 30. */
  readonly maxSharingPercent?: number | undefined;
  /**
   * The hour of the next day, in Beijing, from which the bill of a day is there. Default WeChat's
   * 10.
   */
  readonly billReadyHour?: number | undefined;
  /** Wall clock, in ms since 1970; default `Date.now`. */
  readonly now?: (() => number) | undefined;
}
