// The input of the functions that carry out a resolution, and their outcome.
import type { ErrorCode } from '../../domain/error-catalogue';
import type { InterventionAction } from '../../domain/interventions/reasons';
import type { Fen } from '../../domain/money';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';

/** The intervention that a resolution resolves. */
export interface OpenIntervention {
  readonly id: string;
  readonly reason: string;
  readonly subject: string;
  /** null where it moves no money. */
  readonly amountFen: Fen | null;
  readonly evidence: unknown;
}

/** The outcome of carrying out a resolution. */
export type Outcome =
  | { readonly kind: 'done' }
  /** It can't be done as things stand; the intervention stays open. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

export type Params = Readonly<Record<string, string>>;

/** A resolution with all that carrying it out needs, under the order's lock. */
export interface ResolutionScope {
  readonly context: DatabaseContext;
  readonly scope: Scope;
  readonly intervention: OpenIntervention;
  readonly action: InterventionAction;
  readonly params: Params;
}

/** WeChat's codes for a number that it does not know, in the spellings of all its pages. */
const LOST_CODES: readonly unknown[] = [
  'RESOURCE_NOT_EXISTS',
  'RESOURCE_NOT_EXIST',
  'RESOURCENOTEXISTS',
  'ORDER_NOT_EXIST',
  'ORDERNOTEXIST',
];

/**
 * True when the intervention says that WeChat doesn't know the number of a refund or a sharing: its
 * evidence has WeChat's code.
 */
export function isLostAtWechat({ evidence }: Pick<OpenIntervention, 'evidence'>): boolean {
  const found = evidence as { readonly wechat_code?: unknown } | null;
  return LOST_CODES.includes(found?.wechat_code);
}

export const DONE: Outcome = { kind: 'done' };

/** @param detail one sentence for the operator */
export function refused(code: ErrorCode, detail: string): Outcome {
  return { kind: 'refused', code, detail };
}
