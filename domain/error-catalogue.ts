// Lists every error code that Oncepay shows or stores, with its HTTP status and its title.
// Sandbox: deterministic only.

/**
 * Every error code that Oncepay shows to a caller or stores in a row. The codes are wire format and
 * never change (S13); each has its row in docs/reference/errors.md. `retry` is true when the same
 * request can succeed later without a person. The `title` is shown to callers and says what is
 * wrong; the `detail` of each problem document says what to do next.
 */
export const ERRORS = {
  // Errors in the request of a caller.
  VALIDATION_ERROR: { status: 400, retry: false, title: 'The request is not valid' },
  IDENTIFIER_INVALID: { status: 400, retry: false, title: 'The order number is mistyped' },
  UNAUTHENTICATED: { status: 401, retry: false, title: 'The API key is missing or unknown' },
  PERMISSION_DENIED: {
    status: 403,
    retry: false,
    title: 'The role of this API key does not allow this call',
  },
  NOT_FOUND: { status: 404, retry: false, title: 'The requested resource does not exist' },
  METHOD_NOT_ALLOWED: { status: 405, retry: false, title: 'This path does not allow this method' },
  PAYLOAD_TOO_LARGE: { status: 413, retry: false, title: 'The request is too large' },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    retry: false,
    title: 'The body must be uncompressed JSON',
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    retry: false,
    title: 'The Idempotency-Key was used with another body',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    retry: true,
    title: 'Too many requests are under way',
  },
  ORDER_NOT_PAYABLE: { status: 409, retry: false, title: 'The order can no longer be paid' },
  ORDER_ALREADY_PAID: { status: 409, retry: false, title: 'The order is already paid' },
  OUT_OF_STOCK: { status: 409, retry: false, title: 'There is not enough stock' },
  PRODUCT_CONFLICT: { status: 409, retry: false, title: 'The product does not allow this change' },
  NOTHING_OPEN: { status: 409, retry: false, title: 'The order has no open intervention' },
  INTERVENTION_RESOLVED: {
    status: 409,
    retry: false,
    title: 'The intervention is already resolved',
  },
  INTERVENTION_AMBIGUOUS: {
    status: 409,
    retry: false,
    title: 'The order has several open interventions',
  },
  ACTION_NOT_ALLOWED: {
    status: 409,
    retry: false,
    title: 'The intervention does not allow this action',
  },
  AMOUNT_CHANGED: { status: 409, retry: false, title: 'More money would move than was approved' },
  ANSWER_UNDER_WAY: {
    status: 409,
    retry: false,
    title: 'Another resolution is already being carried out',
  },
  MOOT: { status: 409, retry: false, title: 'The intervention ended before it was resolved' },
  NOTHING_TO_REFUND: { status: 409, retry: false, title: 'Nothing is left to refund' },
  REFUND_RESERVED: {
    status: 409,
    retry: false,
    title: 'Another refund of this payment is not finished',
  },
  ORDER_NOT_REFUNDABLE: {
    status: 409,
    retry: false,
    title: 'The status of the order does not allow a refund',
  },
  REFUND_EXCEEDS_PAYMENT: {
    status: 409,
    retry: false,
    title: 'The refund exceeds what is left of the payment',
  },
  REFUND_LIMIT: {
    status: 409,
    retry: false,
    title: 'WeChat Pay accepts no more refunds of this payment',
  },
  OUT_REFUND_NO_USED: {
    status: 422,
    retry: false,
    title: 'The out_refund_no belongs to a different refund',
  },
  OUT_ORDER_NO_USED: {
    status: 422,
    retry: false,
    title: 'The out_order_no belongs to a different sharing',
  },
  ORDER_NOT_FOR_SHARING: {
    status: 409,
    retry: false,
    title: 'The order was created without profit sharing',
  },
  ORDER_NOT_PAID: { status: 409, retry: false, title: 'The order is not paid' },
  SHARING_OVER_CAP: { status: 409, retry: false, title: 'The sharing exceeds the allowed ratio' },
  NOTHING_TO_SHARE: {
    status: 409,
    retry: false,
    title: 'The sharing exceeds what is left to share',
  },
  SHARING_LIMIT: { status: 409, retry: false, title: 'The order has too many profit sharings' },
  RECEIVER_UNKNOWN: {
    status: 409,
    retry: false,
    title: 'The sharing names a receiver that is not known',
  },
  SHARING_RESERVED: {
    status: 409,
    retry: false,
    title: 'WeChat Pay may already have this request',
  },
  VERSION_CONFLICT: {
    status: 409,
    retry: false,
    title: 'The version is no longer the current one',
  },
  SAME_PERSON: {
    status: 409,
    retry: false,
    title: 'The person who proposed this may not approve it',
  },
  PROPOSAL_ENDED: { status: 409, retry: false, title: 'The proposal is no longer open' },
  LIMIT_EXCEEDED: { status: 409, retry: false, title: 'A limit for merchant keys is exceeded' },
  CODE_REVOKED: { status: 409, retry: false, title: 'A refund has already revoked a code' },
  CODE_TAKEN: { status: 409, retry: false, title: 'A code already belongs to another product' },
  // Error responses of WeChat Pay, all 502: the request to Oncepay itself was right. The provider
  // maps WeChat Pay's own names to these codes.
  WECHAT_REFUSED: { status: 502, retry: false, title: 'WeChat Pay refused the request' },
  CONFIGURATION_ERROR: {
    status: 502,
    retry: false,
    title: 'WeChat Pay rejected the merchant configuration',
  },
  WECHAT_PERMISSION_DENIED: {
    status: 502,
    retry: false,
    title: 'WeChat Pay denied the merchant permission',
  },
  OUT_TRADE_NO_USED: {
    status: 502,
    retry: false,
    title: 'WeChat Pay has this order number with other content',
  },
  ORDER_PAID: { status: 502, retry: false, title: 'WeChat Pay reports that the order is paid' },
  ORDER_CLOSED: { status: 502, retry: false, title: 'WeChat Pay reports that the order is closed' },
  ORDER_NOT_EXIST: { status: 502, retry: false, title: 'WeChat Pay does not know this order' },
  RESOURCE_NOT_EXISTS: {
    status: 502,
    retry: false,
    title: 'WeChat Pay does not know the requested resource',
  },
  NOT_ENOUGH: { status: 502, retry: true, title: 'The balance of the merchant is too low' },
  RULE_LIMIT: {
    status: 502,
    retry: true,
    title: 'A rule of WeChat Pay forbids the request for now',
  },
  FREQUENCY_LIMITED: { status: 502, retry: true, title: 'WeChat Pay received too many requests' },
  SYSTEM_ERROR: { status: 502, retry: true, title: 'WeChat Pay had an internal error' },
  BANK_ERROR: { status: 502, retry: true, title: 'The bank had an error' },
  USER_PAYING: { status: 502, retry: true, title: 'The user is still paying' },
  RESPONSE_FORGED: {
    status: 502,
    retry: true,
    title: 'A response had no valid signature of WeChat Pay',
  },
  // Failures of the network, the database or Temporal, and results that do not exist yet.
  NETWORK_ERROR: { status: 502, retry: true, title: 'The network connection failed' },
  TIMEOUT: { status: 504, retry: true, title: 'No response arrived in time' },
  TEMPORARY_FAILURE: {
    status: 503,
    retry: true,
    title: 'Temporarily unavailable, send the request again',
  },
  NOT_YET: { status: 503, retry: true, title: 'There is no result yet' },
  // Failures of an effect or of a delivery.
  NO_STOCK: { status: 409, retry: false, title: 'The reserved stock is missing' },
  NO_CODES: { status: 409, retry: false, title: 'The product has no code left to hand out' },
  EFFECT_FAILED: { status: 500, retry: true, title: 'An effect of the payment failed' },
  DELIVERY_FAILED: { status: 502, retry: true, title: 'The receiver did not accept the delivery' },
  INTERNAL_ERROR: { status: 500, retry: true, title: 'Oncepay had an internal error' },
} as const satisfies Record<string, { status: number; retry: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** True when `code` is a code of the catalogue. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERRORS, code);
}
