// Runs a request that WeChat knows by a number of ours: send or query, record, retry (P8).
import type { AcceptedAttempt, EndedAttempt } from '../../database/requests/numbered-attempts';
import type { NumberedTurn, StartedAgain } from '../../database/requests/numbered-turn';
import type { ErrorCode } from '../../domain/error-catalogue';
import { nextQueryAt } from '../../domain/orders/query-schedule';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import { OperationFailure, retryIn, type FailureEvidence } from '../retries/failures';
import { evidenceOf } from './deps';
import { codeOf, isAbsent, type Unsettled } from './classify-outcome';

/**
 * When WeChat is queried about what it works on, counted from when it accepted the request; after
 * these gaps the gap doubles up to an hour, for the days that a bank may take. A callback comes
 * sooner.
 */
export const QUERY_GAPS_MS = [5_000, 15_000, 60_000, 300_000, 900_000];

/**
 * Describes one kind of numbered request: refunds, sharings, take-backs of shares. The protocol is
 * the same for all of them. Each attempt is recorded before it is sent. After an unknown outcome
 * WeChat is queried by the same number; when WeChat doesn't find the number, the same request is
 * sent again under the same number. A new number would carry the request out twice.
 *
 * @typeParam Stored all that goes into the request, as its row has it: every attempt sends the same
 * @typeParam State what WeChat reports of it
 * @typeParam Standing how it stands for its run, once the run has nothing to send or query
 */
export interface NumberedRequestKind<Stored, State, Standing> {
  /** The retry policies that decide what follows a failure. */
  readonly operations: {
    /** WeChat refused what was sent, or the outcome is unknown. */
    readonly send: RetryOperation;
    /** The same of a query. */
    readonly query: RetryOperation;
    /** WeChat has other content under the number, so that only a person can go on. */
    readonly foreign: RetryOperation;
  };
  /** Tells a person what WeChat has under the number instead of our request. */
  readonly foreignDetail: string;
  readonly now: () => number;

  /**
   * The number and subject that failures are counted by, and what a person needs to see of the
   * request.
   */
  failure(request: Stored): {
    readonly number: string;
    readonly subject: string;
    readonly evidence: FailureEvidence;
  };

  /** Sends the request; its attempt is recorded already. */
  send(request: Stored): Promise<WechatOutcome<State>>;
  /** Queries WeChat by the request's number. */
  query(request: Stored): Promise<WechatOutcome<State>>;
  /** WeChat doesn't know the number: records another attempt, or tells how long to wait. */
  startAfterAbsence(request: Stored): Promise<StartedAgain>;
  /** Records how an attempt ended that WeChat did not accept. */
  endAttempt(attempt: EndedAttempt): Promise<void>;
  /** Records what WeChat reported; it compares the content with ours first. */
  recordReport(request: Stored, report: NumberedReport<State>): Promise<Recorded<Standing>>;
  /**
   * Writes when the run that makes these attempts comes round again at the latest (P12), Unix ms.
   */
  dueAgain(number: string, atMs: number): Promise<void>;
  /** Wakes the order's run: the retry budget is spent, so an intervention is open. Never throws. */
  wakeOrderRun(request: Stored): Promise<void>;
}

/** A report of WeChat about a request. */
export interface NumberedReport<State> {
  readonly state: State;
  /** The attempt that WeChat responded to; null after a query. */
  readonly attempt: AcceptedAttempt | null;
  /** When WeChat is queried again while it works on the request, Unix ms. */
  readonly nextQueryAtMs: number;
}

/** The step after a recorded report. */
export type Recorded<Standing> =
  /** The run has nothing to send or query now. */
  | { readonly kind: 'ended'; readonly standing: Standing }
  /** The run takes its next turn after `delayMs`. */
  | { readonly kind: 'again'; readonly delayMs: number }
  /**
   * WeChat has other content under the number, and our attempts are recorded as refused; or its
   * response names another number.
   */
  | { readonly kind: 'foreign' }
  /** WeChat reports a state that Oncepay doesn't know: it is queried again. */
  | { readonly kind: 'unknown_state'; readonly reported: string | null };

type Ok<State> = Extract<WechatOutcome<State>, { kind: 'ok' }>;
type Kind<Stored, State, Standing> = NumberedRequestKind<Stored, State, Standing>;

/**
 * Takes the turn that the request's row decided on.
 *
 * @param number of the run that takes the turn
 * @throws ApplicationFailure `NOT_YET` when the run comes back later
 * @throws OperationFailure when WeChat refused, could not say, or has other content under the
 * number
 */
export async function takeNumberedTurn<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  number: string,
  turn: NumberedTurn<Stored>,
): Promise<Standing> {
  switch (turn.kind) {
    case 'wait':
      await kind.dueAgain(number, kind.now() + turn.delayMs);
      throw comeBack(kind, turn.delayMs);
    case 'send':
      return sendRequest(kind, turn);
    case 'query':
      return takeQueryOutcome(kind, turn, await kind.query(turn.request));
  }
}

async function sendRequest<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  sent: { readonly request: Stored; readonly attemptId: string },
): Promise<Standing> {
  return takeSendOutcome(kind, sent, await kind.send(sent.request));
}

/** Records what came of a sent attempt. Throws as {@link takeNumberedTurn} does. */
export async function takeSendOutcome<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  { request, attemptId }: { readonly request: Stored; readonly attemptId: string },
  outcome: WechatOutcome<State>,
): Promise<Standing> {
  if (outcome.kind !== 'ok') {
    const operation = kind.operations.send;
    return failRequest(kind, request, { operation, outcome, attemptId });
  }
  const attempt = { id: attemptId, requestId: outcome.requestId };
  return takeReport(kind, request, outcome, { attempt, acceptedAtMs: null });
}

/**
 * Records what came of a query, or sends the request again when WeChat doesn't know its number.
 * Throws as {@link takeNumberedTurn} does.
 */
export async function takeQueryOutcome<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  query: Pick<
    Extract<NumberedTurn<Stored>, { kind: 'query' }>,
    'request' | 'acceptedAtMs' | 'mayBeAbsent'
  >,
  outcome: WechatOutcome<State>,
): Promise<Standing> {
  const { request, acceptedAtMs, mayBeAbsent } = query;
  if (outcome.kind === 'ok') {
    return takeReport(kind, request, outcome, { attempt: null, acceptedAtMs });
  }
  const operation = kind.operations.query;
  if (!isAbsent(outcome))
    return failRequest(kind, request, { operation, outcome, attemptId: null });
  if (!mayBeAbsent) {
    // WeChat has accepted it before: it is queried again, like one that WeChat still works on.
    const lost = unusable(
      'NOT_YET',
      'WeChat accepted this and does not find it',
      outcome.requestId,
    );
    const evidence = { wechat_code: outcome.wechatCode };
    return failRequest(kind, request, { operation, outcome: lost, attemptId: null, evidence });
  }
  const start = await kind.startAfterAbsence(request);
  if (start.kind === 'wait') throw comeBack(kind, start.delayMs);
  return sendRequest(kind, { request, attemptId: start.attemptId });
}

/**
 * Records what WeChat reported, and plans the next query.
 * @param on.acceptedAtMs when WeChat accepted the request, Unix ms; null when that is now
 */
export function recordReport<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  request: Stored,
  state: State,
  on: { readonly attempt: AcceptedAttempt | null; readonly acceptedAtMs: number | null },
): Promise<Recorded<Standing>> {
  const nowMs = kind.now();
  const nextQueryAtMs = nextQueryAt(on.acceptedAtMs ?? nowMs, nowMs, QUERY_GAPS_MS);
  return kind.recordReport(request, { state, attempt: on.attempt, nextQueryAtMs });
}

async function takeReport<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  request: Stored,
  { value, requestId }: Ok<State>,
  on: { readonly attempt: AcceptedAttempt | null; readonly acceptedAtMs: number | null },
): Promise<Standing> {
  const recorded = await recordReport(kind, request, value, on);
  switch (recorded.kind) {
    case 'ended':
      return recorded.standing;
    case 'again':
      throw comeBack(kind, recorded.delayMs);
    case 'foreign': {
      const operation = kind.operations.foreign;
      const outcome = unusable('OUT_TRADE_NO_USED', kind.foreignDetail, requestId);
      return failRequest(kind, request, { operation, outcome, attemptId: null });
    }
    case 'unknown_state': {
      const operation = kind.operations.query;
      const outcome = unusable('NOT_YET', 'WeChat reports a state unknown to Oncepay', requestId);
      const evidence = { state: recorded.reported };
      const attemptId = on.attempt?.id ?? null;
      return failRequest(kind, request, { operation, outcome, attemptId, evidence });
    }
  }
}

/** The outcome of a response that WeChat signed, and that can't be recorded. */
function unusable(code: ErrorCode, detail: string, requestId: string | null): Unsettled {
  return { kind: 'unknown', code, wechatCode: null, detail, status: 200, requestId };
}

function comeBack(kind: { operations: { send: RetryOperation } }, delayMs: number): Error {
  return retryIn(delayMs, 'NOT_YET', kind.operations.send);
}

/**
 * Records a failed call and ends the attempt: the retry policy decides what follows, the number
 * stays the same.
 *
 * @param failure.attemptId null when nothing was sent
 * @throws OperationFailure always
 */
export async function failRequest<Stored, State, Standing>(
  kind: Kind<Stored, State, Standing>,
  request: Stored,
  failure: {
    readonly operation: RetryOperation;
    readonly outcome: Unsettled;
    readonly attemptId: string | null;
    /** More for the person who may have to decide. */
    readonly evidence?: FailureEvidence;
  },
): Promise<never> {
  const { operation, outcome, attemptId } = failure;
  if (attemptId !== null) {
    const { kind: ended, requestId } = outcome;
    await kind.endAttempt({ id: attemptId, outcome: ended, code: codeOf(outcome), requestId });
  }
  const { number, subject, evidence } = kind.failure(request);
  throw new OperationFailure({
    operation,
    number,
    subject,
    code: outcome.code,
    evidence: { ...evidenceOf(outcome), ...evidence, ...failure.evidence },
    settle: async (decision) => {
      if (decision.kind === 'again') await kind.dueAgain(number, kind.now() + decision.delayMs);
      else await kind.wakeOrderRun(request);
    },
  });
}
