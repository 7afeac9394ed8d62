/**
 * Every error code Oncepay shows or stores. The names are wire format (S13); each has its row in
 * docs/reference/errors.md. `retry` says whether the same request can succeed later without a person.
 */
export const ERRORS = {
  // What a caller of our API did.
  VALIDATION_ERROR: { status: 400, retry: false, title: 'The request is not valid' },
  IDENTIFIER_INVALID: { status: 400, retry: false, title: 'The order number is mistyped' },
  UNAUTHENTICATED: { status: 401, retry: false, title: 'The API key is missing or unknown' },
  PERMISSION_DENIED: { status: 403, retry: false, title: 'This key may not do that' },
  NOT_FOUND: { status: 404, retry: false, title: 'There is no such thing' },
  METHOD_NOT_ALLOWED: { status: 405, retry: false, title: 'This method is not offered here' },
  PAYLOAD_TOO_LARGE: { status: 413, retry: false, title: 'The body is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retry: false, title: 'The body must be JSON' },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: false,
    title: 'This Idempotency-Key came with another body before',
  },
  ORDER_NOT_PAYABLE: { status: 409, retry: false, title: 'The order can no longer be paid' },
  ORDER_ALREADY_PAID: { status: 409, retry: false, title: 'The order is paid' },
  OUT_OF_STOCK: { status: 409, retry: false, title: 'There is not enough stock' },
  PRODUCT_CONFLICT: { status: 409, retry: false, title: 'The product does not allow that' },
  NOTHING_OPEN: { status: 409, retry: false, title: 'No question is open' },
  INTERVENTION_RESOLVED: { status: 409, retry: false, title: 'The question is answered' },
  INTERVENTION_AMBIGUOUS: { status: 409, retry: false, title: 'Several questions are open' },
  ACTION_NOT_ALLOWED: { status: 409, retry: false, title: 'This reason has other answers' },
  AMOUNT_CHANGED: { status: 409, retry: false, title: 'More would move than was approved' },
  ANSWER_UNDER_WAY: { status: 409, retry: false, title: 'Another answer is being carried out' },
  MOOT: { status: 409, retry: false, title: 'The question has ended by itself' },
  NOTHING_TO_REFUND: { status: 409, retry: false, title: 'Nothing is left to refund' },
  REFUND_RESERVED: { status: 409, retry: false, title: 'A refund stands in the way' },
  ORDER_NOT_REFUNDABLE: { status: 409, retry: false, title: 'The order can not be refunded' },
  REFUND_EXCEEDS_PAYMENT: { status: 409, retry: false, title: 'Less is left of the payment' },
  REFUND_LIMIT: { status: 409, retry: false, title: "WeChat Pay's limit of refunds is reached" },
  OUT_REFUND_NO_USED: { status: 422, retry: false, title: 'The number is another refund' },
  OUT_ORDER_NO_USED: { status: 422, retry: false, title: 'The number is another sharing' },
  ORDER_NOT_FOR_SHARING: { status: 409, retry: false, title: 'The order is not for sharing' },
  ORDER_NOT_PAID: { status: 409, retry: false, title: 'The order is not paid' },
  SHARING_OVER_CAP: { status: 409, retry: false, title: 'More than may be shared' },
  NOTHING_TO_SHARE: { status: 409, retry: false, title: 'Less than this is left to share' },
  SHARING_LIMIT: { status: 409, retry: false, title: 'Too many sharings of this order' },
  SHARING_RESERVED: { status: 409, retry: false, title: 'WeChat Pay may have it already' },
  VERSION_CONFLICT: { status: 409, retry: false, title: 'It was changed in the meantime' },
  CODE_REVOKED: { status: 409, retry: false, title: 'A refund has taken the code back' },
  CODE_TAKEN: { status: 409, retry: false, title: 'A code belongs to another product' },
  // What WeChat Pay answered (its own aliases are mapped in wechatpay/error-mapping.ts).
  WECHAT_REFUSED: { status: 502, retry: false, title: 'WeChat Pay refused the request' },
  CONFIGURATION_ERROR: { status: 502, retry: false, title: 'WeChat Pay refused our settings' },
  WECHAT_PERMISSION_DENIED: { status: 502, retry: false, title: 'WeChat Pay denies permission' },
  OUT_TRADE_NO_USED: { status: 502, retry: false, title: 'The number was used with other content' },
  ORDER_PAID: { status: 409, retry: false, title: 'WeChat Pay says the order is paid' },
  ORDER_CLOSED: { status: 409, retry: false, title: 'WeChat Pay says the order is closed' },
  ORDER_NOT_EXIST: { status: 404, retry: false, title: 'WeChat Pay does not know the order' },
  RESOURCE_NOT_EXISTS: { status: 404, retry: false, title: 'WeChat Pay knows no such thing' },
  NOT_ENOUGH: { status: 502, retry: true, title: 'The balance is too low' },
  RULE_LIMIT: { status: 502, retry: true, title: 'A rule of WeChat Pay forbids it now' },
  FREQUENCY_LIMITED: { status: 502, retry: true, title: 'WeChat Pay asks us to slow down' },
  SYSTEM_ERROR: { status: 502, retry: true, title: 'WeChat Pay failed' },
  BANK_ERROR: { status: 502, retry: true, title: 'The bank failed' },
  USER_PAYING: { status: 502, retry: true, title: 'The user is paying at this moment' },
  RESPONSE_FORGED: { status: 502, retry: true, title: 'An answer without a valid signature' },
  // What stands between.
  NETWORK_ERROR: { status: 502, retry: true, title: 'The connection failed' },
  TIMEOUT: { status: 504, retry: true, title: 'No answer in time' },
  TEMPORARY_FAILURE: { status: 503, retry: true, title: 'Not now, please again' },
  NOT_YET: { status: 503, retry: true, title: 'Nothing to tell yet' },
  // What stops an effect until a person looks.
  NO_STOCK: { status: 409, retry: false, title: 'The reserved stock is not there' },
  NO_CODES: { status: 409, retry: false, title: 'The pool has no code left' },
  EFFECT_FAILED: { status: 500, retry: true, title: 'An effect of the payment failed' },
  DELIVERY_FAILED: { status: 502, retry: true, title: 'The receiver did not take it' },
  INTERNAL_ERROR: { status: 500, retry: true, title: 'Something went wrong here' },
} as const satisfies Record<string, { status: number; retry: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** True when `code` is one of the catalogue. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}
