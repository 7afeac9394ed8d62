// The app's token: one request for all that wait, renewed before its end, dropped when refused.
import { createAppTokens } from '../../../../providers/feishu/calls/app-token';

function makeTokens(lifeMs = 7_200_000) {
  const state = { fetched: 0, nowMs: 0, isRefused: false };
  const tokens = createAppTokens({
    now: () => state.nowMs,
    fetchToken: () => {
      state.fetched += 1;
      return Promise.resolve(
        state.isRefused
          ? { kind: 'refused', code: 10014, message: '', logId: null, waitMs: null }
          : { kind: 'ok', value: { token: `t-${state.fetched}`, lifeMs }, logId: null },
      );
    },
  });
  const next = async () => {
    const outcome = await tokens.current();
    return outcome.kind === 'ok' ? outcome.value : outcome.kind;
  };
  return { state, tokens, next };
}

test('five calls at once wait for one request of a token', async () => {
  const { state, next } = makeTokens();
  const seen = await Promise.all(Array.from({ length: 5 }, next));
  expect([seen, state.fetched]).toEqual([Array(5).fill('t-1'), 1]);
});

test('a token is renewed 5 minutes before its end and not earlier', async () => {
  const { state, next } = makeTokens();
  await next();
  state.nowMs = 7_200_000 - 300_001;
  const before = await next();
  state.nowMs += 1;
  expect([before, await next()]).toEqual(['t-1', 't-2']);
});

test('two callers that both drop a refused token cause one new one', async () => {
  const { state, tokens, next } = makeTokens();
  await next();
  tokens.drop('t-1');
  await next();
  tokens.drop('t-1');
  expect([await next(), state.fetched]).toEqual(['t-2', 2]);
});

test('a refused request of a token is not kept, so the next call fetches again', async () => {
  const { state, next } = makeTokens();
  state.isRefused = true;
  const first = await next();
  state.isRefused = false;
  expect([first, await next()]).toEqual(['refused', 't-2']);
});
