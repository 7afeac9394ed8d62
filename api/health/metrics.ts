import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { OpenInbox } from '../../database/inbox/inbox-lag';
import { INTERVENTION_REASONS } from '../../domain/interventions/reasons';
import { orElse, shared } from './readings';

/** Scrapers that come together share one reading. */
const READING_AGE_MS = 2_000;
/** A database or a Temporal that hangs must not hang the other metrics. */
const READING_TIMEOUT_MS = 1_500;

/** What is read when somebody asks for the metrics. */
export interface MetricSources {
  readonly inbox: () => Promise<OpenInbox>;
  readonly temporalUp: () => Promise<boolean>;
  readonly interventions: () => Promise<readonly { reason: string; count: number }[]>;
  readonly now: () => number;
}

/** The api's metrics. Counters are in memory: for most refused callbacks they are the only trace. */
export function createMetrics(sources: MetricSources) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'oncepay_api_' });
  const registers = [registry];
  registerReadings(registers, sources);
  registerInterventions(registers, sources);
  return {
    registry,
    callbacks: new Counter({
      name: 'oncepay_callbacks_total',
      help: 'Callbacks by outcome: added, duplicate, conflicting, or why they were refused',
      labelNames: ['outcome'],
      registers,
    }),
    deliveryLog: new Counter({
      name: 'oncepay_callback_log_total',
      help: 'Rows of the log of callback deliveries: written, dropped, overflowed, sampled_out',
      labelNames: ['outcome'],
      registers,
    }),
    requests: new Counter({
      name: 'oncepay_api_requests_total',
      help: 'API calls by operation and status',
      labelNames: ['operation', 'status'],
      registers,
    }),
    signals: new Counter({
      name: 'oncepay_dispatches_total',
      help: 'Inbox rows by what the dispatcher did: told, refused, left_to_sweep',
      labelNames: ['outcome'],
      registers,
    }),
    waiting: new Gauge({
      name: 'oncepay_dispatcher_waiting',
      help: 'Inbox rows that wait in memory for their run to be told',
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/** Read at each scrape. What can't be read in time is left out, so that nobody takes it for a number. */
function registerReadings(registers: Registry[], { inbox, temporalUp, now }: MetricSources): void {
  const readInbox = shared(READING_AGE_MS, now, () => orElse(inbox(), READING_TIMEOUT_MS, null));
  const readTemporal = shared(READING_AGE_MS, now, () =>
    orElse(temporalUp(), READING_TIMEOUT_MS, false),
  );
  const show = (gauge: Gauge, value: number | null) => {
    if (value === null) gauge.remove();
    else gauge.set(value);
  };
  new Gauge({
    name: 'oncepay_temporal_up',
    help: '1 while Temporal takes what it is told',
    registers,
    async collect() {
      show(this, (await readTemporal()) ? 1 : 0);
    },
  });
  new Gauge({
    name: 'oncepay_inbox_open',
    help: 'Inbox rows without a verdict',
    registers,
    async collect() {
      show(this, (await readInbox())?.count ?? null);
    },
  });
  new Gauge({
    name: 'oncepay_inbox_lag_seconds',
    help: 'Age of the oldest inbox row without a verdict, but for those a person is asked about',
    registers,
    async collect() {
      const open = await readInbox();
      const sinceMs = open?.oldestReceivedAt?.getTime() ?? now();
      show(this, open && Math.max(0, now() - sinceMs) / 1_000);
    },
  });
}

/** A reason that nothing is open of any more is 0, so that an alert on it ends. */
function registerInterventions(registers: Registry[], { interventions, now }: MetricSources): void {
  const read = shared(READING_AGE_MS, now, () => orElse(interventions(), READING_TIMEOUT_MS, null));
  new Gauge({
    name: 'oncepay_interventions_open',
    help: 'Questions that wait for a person, by reason',
    labelNames: ['reason'],
    registers,
    async collect() {
      const open = await read();
      this.reset();
      if (open === null) return;
      for (const reason of INTERVENTION_REASONS) this.set({ reason }, 0);
      for (const { reason, count } of open) this.set({ reason }, count);
    },
  });
}
