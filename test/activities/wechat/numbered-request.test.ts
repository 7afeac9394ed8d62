// Tests the protocol of numbered requests on a made-up kind of request, without servers.
import { ApplicationFailure } from '@temporalio/common';
import { OperationFailure } from '../../../activities/retries/failures';
import {
  QUERY_GAPS_MS,
  takeNumberedTurn,
  type NumberedReport,
  type NumberedRequestKind,
  type Recorded,
} from '../../../activities/wechat/numbered-request';
import type { EndedAttempt } from '../../../database/requests/numbered-attempts';
import type { NumberedTurn, StartedAgain } from '../../../database/requests/numbered-turn';
import { isLostAtWechat } from '../../../database/resolutions/resolution-scope';
import { nextQueryAt } from '../../../domain/orders/query-schedule';
import { refusalCode } from '../../../providers/wechatpay/calls/error-mapping';
import type { WechatOutcome } from '../../../providers/wechatpay/calls/outcome';

const NOW_MS = Date.parse('2026-11-23T12:00:00Z');
const MINUTE = 60;
const HOUR = 60 * MINUTE;

type Outcome = WechatOutcome<string>;

const ok: Outcome = { kind: 'ok', value: 'state', requestId: 'r' };
const refused: Outcome = {
  kind: 'refused',
  status: 400,
  code: 'RULE_LIMIT',
  wechatCode: 'RULE_LIMIT',
  message: 'no',
  requestId: 'r',
};
const absent: Outcome = {
  ...refused,
  status: 404,
  code: 'RESOURCE_NOT_EXISTS',
  wechatCode: 'RESOURCE_NOT_EXISTS',
};
const unknown: Outcome = {
  kind: 'unknown',
  code: 'TIMEOUT',
  wechatCode: null,
  detail: 'no response',
  status: null,
  requestId: null,
};

interface Script {
  readonly sends?: readonly Outcome[];
  readonly queries?: readonly Outcome[];
  readonly start?: StartedAgain;
  readonly recorded?: Recorded<string>;
}

/** A kind of request that follows a script and writes down each of its steps. */
function scripted({ sends = [], queries = [], start, recorded }: Script) {
  const steps: string[] = [];
  const next = (outcomes: Outcome[]): Promise<Outcome> => {
    const outcome = outcomes.shift();
    if (!outcome) throw new Error('The script has no more outcomes');
    return Promise.resolve(outcome);
  };
  const [toSend, toQuery] = [[...sends], [...queries]];
  const step = (text: string): Promise<void> => {
    steps.push(text);
    return Promise.resolve();
  };
  const kind: NumberedRequestKind<string, string, string> = {
    operations: { send: 'wechat.refund', query: 'wechat.refund_query', foreign: 'wechat.return' },
    foreignDetail: 'other content',
    now: () => NOW_MS,
    failure: (request) => ({ number: request, subject: `${request}/1`, evidence: { request } }),
    send: async (request) => {
      await step(`send ${request}`);
      return next(toSend);
    },
    query: async (request) => {
      await step(`query ${request}`);
      return next(toQuery);
    },
    startAfterAbsence: async () => {
      await step('start again');
      if (!start) throw new Error('The script starts nothing again');
      return start;
    },
    endAttempt: ({ id, outcome, code }: EndedAttempt) => step(`${id} ${outcome} ${code}`),
    recordReport: async (_, { state, attempt, nextQueryAtMs }: NumberedReport<string>) => {
      await step(`record ${state} of ${attempt?.id ?? 'query'}, next ${nextQueryAtMs - NOW_MS}`);
      return recorded ?? { kind: 'ended', standing: 'done' };
    },
    dueAgain: (number, atMs) => step(`due ${number} ${atMs - NOW_MS}`),
    wakeOrderRun: (request) => step(`wake ${request}`),
  };
  return { kind, steps };
}

const send: NumberedTurn<string> = { kind: 'send', attemptId: 'a1', request: 'no' };
const query = (mayBeAbsent: boolean, acceptedAtMs: number | null = null): NumberedTurn<string> => ({
  kind: 'query',
  request: 'no',
  acceptedAtMs,
  mayBeAbsent,
});

/** How a turn ended: its standing, a retry, or a failure with operation and code. */
async function endOf(turn: Promise<string>): Promise<string> {
  try {
    return await turn;
  } catch (error) {
    if (error instanceof ApplicationFailure) return `${error.type} ${error.nextRetryDelay}`;
    if (!(error instanceof OperationFailure)) throw error;
    return error.failures.map(({ operation, code }) => `${operation} ${code}`).join();
  }
}

const again: Recorded<string> = { kind: 'again', delayMs: 7_000 };
const startA2: StartedAgain = { kind: 'send', attemptId: 'a2' };
const LATER: StartedAgain = { kind: 'wait', delayMs: 900 };

test.each<[string, NumberedTurn<string>, Script, string[], string]>([
  [
    'a turn that waits writes when it is due, and comes back',
    { kind: 'wait', delayMs: 3_000 },
    {},
    ['due no 3000'],
    'NOT_YET 3000',
  ],
  [
    'an accepted send is recorded with its attempt, and ends',
    send,
    { sends: [ok] },
    ['send no', 'record state of a1, next 5000'],
    'done',
  ],
  [
    'an accepted send that WeChat works on comes back',
    send,
    { sends: [ok], recorded: again },
    ['send no', 'record state of a1, next 5000'],
    'NOT_YET 7000',
  ],
  [
    'a refused send is recorded as refused, and fails',
    send,
    { sends: [refused] },
    ['send no', 'a1 refused RULE_LIMIT'],
    'wechat.refund RULE_LIMIT',
  ],
  [
    'a send without response is recorded as unknown, and fails',
    send,
    { sends: [unknown] },
    ['send no', 'a1 unknown TIMEOUT'],
    'wechat.refund TIMEOUT',
  ],
  [
    'a response about other content fails for a person',
    send,
    { sends: [ok], recorded: { kind: 'foreign' } },
    ['send no', 'record state of a1, next 5000'],
    'wechat.return OUT_TRADE_NO_USED',
  ],
  [
    'a found number is recorded without an attempt, its queries counted from its acceptance',
    query(true, NOW_MS - 10_000),
    { queries: [ok] },
    ['query no', 'record state of query, next 10000'],
    'done',
  ],
  [
    'a number that WeChat does not find is sent again, in a new attempt',
    query(true),
    { queries: [absent], start: startA2, sends: [ok] },
    ['query no', 'start again', 'send no', 'record state of a2, next 5000'],
    'done',
  ],
  [
    'a number that WeChat does not find waits where it may not be sent yet',
    query(true),
    { queries: [absent], start: LATER },
    ['query no', 'start again'],
    'NOT_YET 900',
  ],
  [
    'a number that WeChat has accepted before is queried on, not sent again',
    query(false),
    { queries: [absent] },
    ['query no'],
    'wechat.refund_query NOT_YET',
  ],
  [
    'a query without response fails, and nothing is sent',
    query(true),
    { queries: [unknown] },
    ['query no'],
    'wechat.refund_query TIMEOUT',
  ],
])('%s', async (_title, turn, script, steps, end) => {
  const { kind, steps: seen } = scripted(script);
  expect(await endOf(takeNumberedTurn(kind, 'no', turn))).toBe(end);
  expect(seen).toEqual(steps);
});

test('a failure names number and subject; the decision retries or wakes the run', async () => {
  const { kind, steps } = scripted({ sends: [refused] });
  const error: unknown = await takeNumberedTurn(kind, 'no', send).catch(
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OperationFailure)) throw new Error('no failure');
  const [failure] = error.failures;
  expect(failure).toMatchObject({
    number: 'no',
    subject: 'no/1',
    evidence: { request: 'no', message: 'no', wechat_code: 'RULE_LIMIT', status: 400 },
  });
  steps.length = 0;
  await failure?.settle?.({ kind: 'again', delayMs: 60_000, attempts: 1 });
  await failure?.settle?.({ kind: 'spent', hasOpened: true, attempts: 2 });
  expect(steps).toEqual(['due no 60000', 'wake no']);
});

test.each([
  [404, 'RESOURCE_NOT_EXISTS', true],
  [404, 'RESOURCE_NOT_EXIST', true],
  [404, 'RESOURCENOTEXISTS', true],
  [404, 'ORDER_NOT_EXIST', true],
  [404, 'ORDERNOTEXIST', true],
  [403, 'NO_AUTH', false],
  [429, 'FREQUENCY_LIMITED', false],
])(
  'an accepted number that WeChat refuses with %d %s: its intervention says lost: %s',
  async (status, wechatCode, isLost) => {
    const outcome = { ...refused, status, wechatCode, code: refusalCode(status, wechatCode) };
    const { kind } = scripted({ queries: [outcome] });
    const error: unknown = await takeNumberedTurn(kind, 'no', query(false)).catch(
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof OperationFailure)) throw new Error('no failure');
    const [failure] = error.failures;
    expect(failure?.code === 'NOT_YET').toBe(isLost);
    expect(isLostAtWechat({ evidence: failure?.evidence })).toBe(isLost);
  },
);

/**
 * In seconds: when WeChat is queried after it accepted a request, and how long after the query
 * before.
 */
test.each([
  [0, 5, 5],
  [5, 20, 15],
  [20, 80, MINUTE],
  [80, 380, 5 * MINUTE],
  [380, 1_280, 15 * MINUTE],
  [1_280, 3_080, 30 * MINUTE],
  [3_080, 6_680, HOUR],
  [6_680, 10_280, HOUR],
  [3 * 24 * HOUR + 3_080, 3 * 24 * HOUR + 6_680, HOUR],
])(
  'queried %d s after its acceptance, WeChat is queried again at %d s, %d s later',
  (at, next, gap) => {
    const nextAt = nextQueryAt(NOW_MS, NOW_MS + at * 1_000, QUERY_GAPS_MS);
    expect([nextAt - NOW_MS, next - at]).toEqual([next * 1_000, gap]);
  },
);
