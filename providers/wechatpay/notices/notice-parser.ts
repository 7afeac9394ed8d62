// Parses a decrypted callback, or the response to a query, into a notice.
import type { z } from 'zod';
import {
  TRADE_STATES,
  type Notice,
  type PaymentNotice,
  type ProfitSharingNotice,
  type RefundNotice,
  type UnknownNotice,
} from '../../../domain/payments/notices';
import { amountFen, merchantNo, shortText, wechatNo } from '../fields/fields';
import { isObject, parseObject } from '../fields/parse-object';

type Fields = Readonly<Record<string, unknown>>;

/** Longer numbers are nobody's: WeChat's have 32 characters. The rest is for people to read. */
const MAX_NUMBER_LENGTH = 64;
/** Text that a person can read in an intervention, of a value that the program can't use. */
const MAX_SHOWN_LENGTH = 64;

const UNKNOWN: UnknownNotice = { kind: 'unknown' };

/**
 * Reads a decrypted callback or the response to a query. Its shape alone decides which kind it is:
 * WeChat has sent profit-sharing notices with the `event_type` of a payment. Only the number of the
 * order has to be there. A field that decides is null where it can't be read: then it fits no order
 * (amount, currency, appid, mchid), or WeChat is queried (transaction, state). Side fields that
 * can't be read are listed.
 *
 * @returns kind `unknown` for everything else, also for text that is not JSON. Never throws.
 */
export function parseNotice(text: string): Notice {
  const seen = parseObject(text);
  if (seen === null) return UNKNOWN;
  if (has(seen, 'trade_state')) return readPayment(seen) ?? UNKNOWN;
  if (has(seen, 'refund_status') || has(seen, 'out_refund_no')) return readRefund(seen) ?? UNKNOWN;
  if (has(seen, 'receiver') || has(seen, 'receivers')) return readProfitSharing(seen);
  // A payment that has lost its state is still about one of our numbers.
  return readPayment(seen) ?? UNKNOWN;
}

/** null when no order is named. */
function readPayment(seen: Fields): PaymentNotice | null {
  const outTradeNo = readOrderNumber(seen['out_trade_no']);
  if (outTradeNo === null) return null;
  const amount = objectIn(seen, 'amount');
  const side = createSideFields();
  return {
    kind: 'payment',
    outTradeNo,
    transactionId: readOr(wechatNo, seen['transaction_id']),
    tradeState: TRADE_STATES.find((state) => state === seen['trade_state']) ?? null,
    reportedState: shown(seen['trade_state']),
    totalFen: readOr(amountFen, amount['total']),
    payerTotalFen: side.read(amountFen, amount['payer_total'], 'amount.payer_total'),
    currency: readOr(shortText, amount['currency']),
    appId: readOr(shortText, seen['appid']),
    merchantId: readOr(shortText, seen['mchid']),
    tradeType: side.read(shortText, seen['trade_type'], 'trade_type'),
    successTime: side.read(shortText, seen['success_time'], 'success_time'),
    unreadable: side.unreadable,
  };
}

/** null when no order is named. */
function readRefund(seen: Fields): RefundNotice | null {
  const outTradeNo = readOrderNumber(seen['out_trade_no']);
  if (outTradeNo === null) return null;
  const amount = objectIn(seen, 'amount');
  const side = createSideFields();
  return {
    kind: 'refund',
    outTradeNo,
    transactionId: side.read(wechatNo, seen['transaction_id'], 'transaction_id'),
    outRefundNo: readOr(merchantNo, seen['out_refund_no']),
    refundId: side.read(wechatNo, seen['refund_id'], 'refund_id'),
    refundStatus: shown(seen['refund_status']) ?? '',
    refundFen: side.read(amountFen, amount['refund'], 'amount.refund'),
    totalFen: side.read(amountFen, amount['total'], 'amount.total'),
    currency: side.read(shortText, amount['currency'], 'amount.currency'),
    merchantId: side.read(shortText, seen['mchid'], 'mchid'),
    successTime: side.read(shortText, seen['success_time'], 'success_time'),
    unreadable: side.unreadable,
  };
}

/** Says only that something happened to a sharing: Oncepay queries it. */
function readProfitSharing(seen: Fields): ProfitSharingNotice {
  return {
    kind: 'profit_sharing',
    transactionId: readOr(wechatNo, seen['transaction_id']),
    outOrderNo: readOr(merchantNo, seen['out_order_no']),
  };
}

const has = (seen: Fields, name: string): boolean => Object.hasOwn(seen, name);

/** An empty object where the field is none. */
function objectIn(seen: Fields, name: string): Fields {
  const value = seen[name];
  return isObject(value) ? value : {};
}

/** null where the value is absent or has another form. */
function readOr<T>(schema: z.ZodType<T>, value: unknown): T | null {
  return schema.safeParse(value).data ?? null;
}

/** Any text is a number, ours or not: what the database can't hold is replaced. */
function readOrderNumber(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  return value.slice(0, MAX_NUMBER_LENGTH).replaceAll('\u0000', '\ufffd');
}

/** The start of a text, for people; null for everything else. */
function shown(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return value.slice(0, MAX_SHOWN_LENGTH).replaceAll(/\p{Cc}/gu, '\ufffd');
}

/** Reads side fields: one that is there and can't be read is null, and its name is kept. */
function createSideFields() {
  const unreadable: string[] = [];
  return {
    unreadable,
    read<T>(schema: z.ZodType<T>, value: unknown, name: string): T | null {
      if (value === undefined || value === null) return null;
      const found = readOr(schema, value);
      if (found === null) unreadable.push(name);
      return found;
    },
  };
}
