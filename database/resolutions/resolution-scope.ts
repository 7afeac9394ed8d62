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

export const DONE: Outcome = { kind: 'done' };

/** @param detail one sentence for the operator */
export function refused(code: ErrorCode, detail: string): Outcome {
  return { kind: 'refused', code, detail };
}
