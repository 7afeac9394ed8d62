// Subjects of interventions: the one place that formats and parses them.
// Sandbox: deterministic only.

/**
 * A subject says what exactly an intervention is about. It is stored, and callers see it. Forms:
 * - a number or a name alone: a transaction, `out_refund_no`, `out_order_no` of a sharing, an
 *   effect or a compensation (domain/fulfilment/effects), a step at WeChat, an activity, `run`;
 * - `<kind>:<id>`, where a number alone would not say what it numbers.
 */
export const SUBJECT_KINDS = [
  /** Row of the inbox (`undeliverable`). */
  'notice',
  /** Outbound delivery that failed (`undeliverable`). */
  'webhook',
  'message',
  /** Outbound delivery that is overdue (`stuck`). */
  'delivery',
  /** Run of a refund or of a sharing (`stuck`). */
  'refund',
  'sharing',
  /** Bill of a day (`reconciliation`): such an intervention has no order. */
  'bill',
] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** The order's own run (`stuck`). */
export const RUN_SUBJECT = 'run';

/** The steps of an order at WeChat (`wechat_failed`). */
export const WECHAT_SUBJECTS = { prepay: 'prepay', query: 'query', close: 'close' } as const;

export type Subject =
  | { readonly kind: SubjectKind; readonly id: string }
  /** A number or a name alone, or a kind that this version doesn't have. */
  | { readonly kind: null; readonly id: string };

/** `refund:` for `refund`; an SQL statement puts it before an id. */
export function subjectPrefix(kind: SubjectKind): `${SubjectKind}:` {
  return `${kind}:`;
}

/** `refund:R-1` for a refund's run. */
export function formatSubject(kind: SubjectKind, id: string): string {
  return `${subjectPrefix(kind)}${id}`;
}

/** Reads a subject. The id may have colons itself. */
export function parseSubject(subject: string): Subject {
  const kind = SUBJECT_KINDS.find((one) => subject.startsWith(subjectPrefix(one)));
  return kind === undefined
    ? { kind: null, id: subject }
    : { kind, id: subject.slice(subjectPrefix(kind).length) };
}

/**
 * The subject of a payment: its transaction. Where WeChat names none, it is the notice's id, or the
 * step `query` for the response to a query.
 */
export function paymentSubject(
  transactionId: string | null,
  notice: { readonly source: string; readonly notificationId: string },
): string {
  if (transactionId !== null) return transactionId;
  return notice.source === 'query' ? WECHAT_SUBJECTS.query : notice.notificationId;
}

/** A value can't be decrypted (`invariant`); the key is its column. No patrol finds it. */
export const UNREADABLE_VALUE = 'unreadable_value';

/**
 * The subject of a broken invariant (`invariant`).
 * @param invariant kind of the patrol's finding, or {@link UNREADABLE_VALUE}
 * @param key the row that it was found in
 */
export function invariantSubject(invariant: string, key: string): string {
  return `${invariant}:${key}`;
}
