// Gauges of the api while its sources fail or hang.
import { createMetrics, type MetricSources } from '../../../api/health/metrics';

const NOW_MS = Date.parse('2026-01-01T12:00:00Z');

async function read(sources: Partial<MetricSources>): Promise<Map<string, number>> {
  const { registry } = createMetrics({
    inbox: () => Promise.resolve({ count: 0, oldestReceivedAt: null }),
    temporalUp: () => Promise.resolve(true),
    interventions: () => Promise.resolve([]),
    now: () => NOW_MS,
    ...sources,
  });
  const lines = (await registry.metrics()).matchAll(/^(oncepay_(?:temporal|inbox)\w+) (\S+)$/gm);
  return new Map([...lines].map(([, name = '', value]) => [name, Number(value)]));
}

const never = () => new Promise<never>(() => undefined);
const failing = () => Promise.reject(new Error('away'));

test.each<[string, Partial<MetricSources>, Record<string, number>]>([
  [
    'nothing waits',
    {},
    { oncepay_temporal_up: 1, oncepay_inbox_open: 0, oncepay_inbox_lag_seconds: 0 },
  ],
  [
    'some wait',
    {
      inbox: () => Promise.resolve({ count: 7, oldestReceivedAt: new Date(NOW_MS - 90_500) }),
    },
    { oncepay_temporal_up: 1, oncepay_inbox_open: 7, oncepay_inbox_lag_seconds: 90.5 },
  ],
  [
    'all open inbox rows have an intervention',
    { inbox: () => Promise.resolve({ count: 2, oldestReceivedAt: null }) },
    { oncepay_temporal_up: 1, oncepay_inbox_open: 2, oncepay_inbox_lag_seconds: 0 },
  ],
  ['the database is away', { inbox: failing }, { oncepay_temporal_up: 1 }],
  ['the database hangs', { inbox: never }, { oncepay_temporal_up: 1 }],
  [
    'Temporal hangs',
    { temporalUp: never },
    { oncepay_temporal_up: 0, oncepay_inbox_open: 0, oncepay_inbox_lag_seconds: 0 },
  ],
])('a scrape while %s still has the other metrics', async (_what, sources, expected) => {
  const started = performance.now();
  expect(Object.fromEntries(await read(sources))).toEqual(expected);
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('scrapes at the same time share one reading', async () => {
  let readings = 0;
  const { registry } = createMetrics({
    inbox: () => {
      readings += 1;
      return Promise.resolve({ count: 1, oldestReceivedAt: null });
    },
    temporalUp: () => Promise.resolve(true),
    interventions: () => Promise.resolve([]),
    now: () => NOW_MS,
  });
  await Promise.all([registry.metrics(), registry.metrics(), registry.metrics()]);
  expect(readings).toBe(1);
});

test('open interventions are counted by reason, and a reason without any is 0', async () => {
  const { registry } = createMetrics({
    inbox: () => Promise.resolve({ count: 0, oldestReceivedAt: null }),
    temporalUp: () => Promise.resolve(true),
    interventions: () => Promise.resolve([{ reason: 'no_codes', count: 3 }]),
    now: () => NOW_MS,
  });
  const text = await registry.metrics();
  expect(text).toContain('oncepay_interventions_open{reason="no_codes"} 3');
  expect(text).toContain('oncepay_interventions_open{reason="stuck"} 0');
});
