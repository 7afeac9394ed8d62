// Schemas of the prepay requests, as strict as WeChat's.
import { isIP } from 'node:net';
import { z } from 'zod';
import type { PrepayApi } from '../../../domain/orders/channels';
import { MAX_FEN } from '../../../domain/money';
import type { Reply } from '../http/reply';
import { notifyUrl, outTradeNo, paramErrorOf, text } from '../http/request-fields';

const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

const amount = z.strictObject({
  total: z.int().min(1).max(MAX_FEN),
  currency: z.literal('CNY').optional(),
});
const goods = z.strictObject({
  merchant_goods_id: text(32),
  wechatpay_goods_id: text(32).optional(),
  goods_name: text(256).optional(),
  quantity: z.int().min(1),
  unit_price: z.int().min(0),
});
const detail = z.strictObject({
  cost_price: z.int().min(0).optional(),
  invoice_id: text(32).optional(),
  goods_detail: z.array(goods).min(1).max(6000).optional(),
});
const payerClientIp = z.string().refine((value) => isIP(value) !== 0, 'not an IP address');
const storeInfo = z.strictObject({
  id: text(32),
  name: text(256).optional(),
  area_code: text(32).optional(),
  address: text(512).optional(),
});
const scene = {
  payer_client_ip: payerClientIp,
  device_id: text(32).optional(),
  store_info: storeInfo.optional(),
};
const h5Info = z.strictObject({
  type: z.enum(['iOS', 'Android', 'Wap']),
  app_name: text(64).optional(),
  app_url: text(128).optional(),
  bundle_id: text(128).optional(),
  package_name: text(128).optional(),
});

const common = {
  appid: text(32),
  mchid: text(32),
  description: text(127),
  out_trade_no: outTradeNo,
  time_expire: z
    .string()
    .regex(RFC3339, 'RFC 3339 with an offset')
    .refine((value) => !Number.isNaN(Date.parse(value)), 'no such time')
    .optional(),
  attach: text(128).optional(),
  notify_url: notifyUrl,
  goods_tag: text(32).optional(),
  support_fapiao: z.boolean().optional(),
  amount,
  detail: detail.optional(),
  settle_info: z.strictObject({ profit_sharing: z.boolean().optional() }).optional(),
};
const ordinary = z.strictObject({ ...common, scene_info: z.strictObject(scene).optional() });
const jsapi = z.strictObject({
  ...common,
  payer: z.strictObject({ openid: text(128) }),
  scene_info: z.strictObject(scene).optional(),
});
const h5 = z.strictObject({
  ...common,
  scene_info: z.strictObject({ ...scene, h5_info: h5Info }),
});

/** The content of a prepay request that the simulator goes on with. */
export interface PrepayBody {
  readonly appid: string;
  readonly mchid: string;
  readonly description: string;
  readonly out_trade_no: string;
  readonly time_expire?: string | undefined;
  readonly attach?: string | undefined;
  readonly notify_url: string;
  readonly amount: { readonly total: number; readonly currency?: 'CNY' | undefined };
  readonly payer?: { readonly openid: string } | undefined;
  readonly settle_info?: { readonly profit_sharing?: boolean | undefined } | undefined;
}

const schemas: Readonly<Record<PrepayApi, z.ZodType<PrepayBody>>> = {
  jsapi,
  h5,
  app: ordinary,
  native: ordinary,
};

/**
 * Reads a prepay body as strictly as WeChat v3 does: unknown fields and nulls are refused.
 * https://pay.weixin.qq.com/doc/v3/merchant/4012791897 (JSAPI; the others beside it).
 */
export function parsePrepay(
  api: PrepayApi,
  body: unknown,
): { readonly kind: 'parsed'; readonly body: PrepayBody } | { kind: 'refused'; reply: Reply } {
  const result = schemas[api].safeParse(body);
  return result.success
    ? { kind: 'parsed', body: result.data }
    : { kind: 'refused', reply: paramErrorOf(result.error) };
}
