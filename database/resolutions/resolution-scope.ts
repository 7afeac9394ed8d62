import type { ErrorCode } from '../../domain/error-catalogue';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';

/** The question that is answered. */
export interface OpenIntervention {
  readonly id: string;
  readonly reason: string;
  readonly subject: string;
  readonly amountFen: number | null;
  readonly evidence: unknown;
}

/** What carrying out an answer came to. */
export type Outcome =
  | { readonly kind: 'done' }
  /** It can't be done as things stand; the question stays open. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

export type Params = Readonly<Record<string, string>>;

/** What an answer is carried out with, under the order's lock. */
export interface ResolutionScope {
  readonly context: DatabaseContext;
  readonly scope: Scope;
  readonly intervention: OpenIntervention;
  readonly params: Params;
}

export const DONE: Outcome = { kind: 'done' };

export function refused(code: ErrorCode, detail: string): Outcome {
  return { kind: 'refused', code, detail };
}
