// Serves WeChat Pay's own API, `/v3/…`.
import express, { type Request, type Router } from 'express';
import { z } from 'zod';
import type { PrepayApi } from '../../domain/orders/channels';
import { paramError, refuse, type Reply } from './http/reply';
import { beijingTime } from './time/beijing-time';
import { encryptResource } from './keys/crypto';
import { createBillEndpoints } from './bills/bill-endpoints';
import type { Bills } from './bills/bills';
import { handler, pathNumber, type Endpoint, type EndpointDeps } from './http/endpoint';
import type { Merchant } from './keys/merchants';
import { parsePrepay } from './payments/prepay-schemas';
import { aboutNothing, aboutOrder } from './http/records';
import { createRefundEndpoints, type RefundEndpointsDeps } from './refunds/refund-endpoints';
import { paramErrorOf } from './http/request-fields';
import { createSharingEndpoints, type SharingEndpointsDeps } from './sharing/sharing-endpoints';
import { transactionBody } from './payments/transaction-body';
import type { Transactions } from './payments/transactions';

export type WechatRoutesDeps = EndpointDeps &
  RefundEndpointsDeps &
  SharingEndpointsDeps & { readonly bills: Bills };

const BODY_LIMIT = '64kb';

const numberInBody = z.looseObject({ out_trade_no: z.string() });
const closeBody = z.strictObject({ mchid: z.string().min(1).max(32) });

/** Null when the query names the merchant that signed. */
function checkMchid(req: Request, merchant: Merchant): Reply | null {
  if (req.query['mchid'] === merchant.merchantId) return null;
  return paramError('输入源“/query/mchid”不符合规则', {
    field: '/query/mchid',
    issue: 'must be the mchid that signed the request',
    location: 'query',
  });
}

function prepayEndpoint(api: PrepayApi, transactions: Transactions): Endpoint {
  return {
    operation: 'prepay',
    subject: (_req, body) => {
      const parsed = numberInBody.safeParse(body);
      return aboutOrder(parsed.success ? parsed.data.out_trade_no : null);
    },
    work: ({ merchant, body }) => {
      const parsed = parsePrepay(api, body);
      return parsed.kind === 'refused'
        ? parsed.reply
        : transactions.prepay(merchant, api, parsed.body);
    },
  };
}

function queryByNumber(transactions: Transactions): Endpoint {
  return {
    operation: 'query',
    subject: (req) => aboutOrder(pathNumber(req)),
    work: ({ merchant, req }) => {
      const refusal = checkMchid(req, merchant);
      if (refusal !== null) return refusal;
      const order = transactions.find(merchant.merchantId, pathNumber(req));
      if (order === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
      return { status: 200, body: transactionBody(order, order.payments[0] ?? null) };
    },
  };
}

function queryByTransaction(transactions: Transactions): Endpoint {
  return {
    operation: 'query',
    subject: (req) =>
      aboutOrder(transactions.findByTransaction(pathNumber(req))?.order.outTradeNo ?? null),
    work: ({ merchant, req }) => {
      const refusal = checkMchid(req, merchant);
      if (refusal !== null) return refusal;
      const found = transactions.findByTransaction(pathNumber(req));
      if (found?.order.merchantId !== merchant.merchantId) {
        return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
      }
      return { status: 200, body: transactionBody(found.order, found.payment) };
    },
  };
}

function closeEndpoint(transactions: Transactions): Endpoint {
  return {
    operation: 'close',
    subject: (req) => aboutOrder(pathNumber(req)),
    work: ({ merchant, req, body }) => {
      const parsed = closeBody.safeParse(body);
      if (!parsed.success) return paramErrorOf(parsed.error);
      if (parsed.data.mchid !== merchant.merchantId) {
        return paramError('商户号与签名的商户号不一致', {
          field: '/mchid',
          value: parsed.data.mchid,
          issue: 'not the mchid that signed',
          location: 'body',
        });
      }
      return transactions.close(merchant.merchantId, pathNumber(req));
    },
  };
}

const certificatesEndpoint: Endpoint = {
  operation: 'certificates',
  subject: aboutNothing,
  work: ({ merchant }) => {
    const certificates = merchant.certificates();
    if (certificates.length === 0) {
      return refuse(404, 'RESOURCE_NOT_EXISTS', '无可用的平台证书，请使用微信支付公钥');
    }
    const data = certificates.map((certificate) => ({
      serial_no: certificate.serial,
      effective_time: beijingTime(certificate.notBeforeMs),
      expire_time: beijingTime(certificate.notAfterMs),
      encrypt_certificate: encryptResource(merchant.apiV3Key, certificate.pem, 'certificate'),
    }));
    return { status: 200, body: { data } };
  },
};

const unknownEndpoint: Endpoint = {
  operation: 'unknown',
  subject: aboutNothing,
  work: () => refuse(404, 'RESOURCE_NOT_EXISTS', '请求的资源不存在'),
};

function addSharing(router: Router, deps: WechatRoutesDeps): void {
  const base = '/profitsharing';
  const sharing = createSharingEndpoints(deps);
  router.post(`${base}/receivers/add`, handler(deps, sharing.addReceiver));
  router.post(`${base}/orders`, handler(deps, sharing.share));
  router.post(`${base}/orders/unfreeze`, handler(deps, sharing.unfreeze));
  router.get(`${base}/orders/:no`, handler(deps, sharing.querySharing));
  router.post(`${base}/return-orders`, handler(deps, sharing.returnShared));
  router.get(`${base}/return-orders/:no`, handler(deps, sharing.queryReturn));
  router.get(`${base}/transactions/:no/amounts`, handler(deps, sharing.unsplitAmount));
}

/** WeChat Pay's own API, `/v3/…`, on the raw bytes of the requests. */
export function createWechatRoutes(deps: WechatRoutesDeps): Router {
  const { transactions } = deps;
  const router = express.Router();
  router.use(express.raw({ type: () => true, limit: BODY_LIMIT, inflate: false }));
  const base = '/pay/transactions';
  for (const api of ['jsapi', 'h5', 'app', 'native'] as const) {
    router.post(`${base}/${api}`, handler(deps, prepayEndpoint(api, transactions)));
  }
  router.get(`${base}/out-trade-no/:no`, handler(deps, queryByNumber(transactions)));
  router.get(`${base}/id/:no`, handler(deps, queryByTransaction(transactions)));
  router.post(`${base}/out-trade-no/:no/close`, handler(deps, closeEndpoint(transactions)));
  const refunds = '/refund/domestic/refunds';
  const { request: ask, query, applyAbnormal } = createRefundEndpoints(deps);
  router.post(refunds, handler(deps, ask));
  router.get(`${refunds}/:no`, handler(deps, query));
  router.post(`${refunds}/:no/apply-abnormal-refund`, handler(deps, applyAbnormal));
  addSharing(router, deps);
  const { tradeBill, fundFlowBill, download } = createBillEndpoints(deps.bills);
  router.get('/bill/tradebill', handler(deps, tradeBill));
  router.get('/bill/fundflowbill', handler(deps, fundFlowBill));
  router.get('/billdownload/file', handler(deps, download));
  router.get('/certificates', handler(deps, certificatesEndpoint));
  router.use(handler(deps, unknownEndpoint));
  return router;
}
