// The metrics of the api: counters in memory, and gauges that are read at each scrape.
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { OpenInbox } from '../../database/inbox/inbox-lag';
import { INTERVENTION_REASONS } from '../../domain/interventions/reasons';
import { orElse, shared } from './readings';

/** Scrapes within this time share one reading. */
const READING_AGE_MS = 2_000;
/** A scrape waits this long for the database or Temporal, so that its other metrics arrive. */
const READING_TIMEOUT_MS = 1_500;

/** The values that are read at a scrape. */
export interface MetricSources {
  readonly inbox: () => Promise<OpenInbox>;
  readonly temporalUp: () => Promise<boolean>;
  readonly interventions: () => Promise<readonly { reason: string; count: number }[]>;
  readonly now: () => number;
}

/**
 * Makes the metrics. The counters are in memory; of most refused callbacks nothing else is kept.
 */
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
      help: 'Callbacks by outcome: added, duplicate, conflicting, or the reason of a refusal',
      labelNames: ['outcome'],
      registers,
    }),
    deliveryLog: new Counter({
      name: 'oncepay_callback_log_total',
      help: 'Callbacks in the log: written, repeated (counted in a row), dropped, overflowed',
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
      help: 'Wakes of runs by outcome: told (accepted by Temporal), refused, left_to_sweep',
      labelNames: ['outcome'],
      registers,
    }),
    waiting: new Gauge({
      name: 'oncepay_dispatcher_waiting',
      help: 'Inbox rows that wait in memory until their run is woken',
      registers,
    }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Registers gauges that are read at each scrape. A value that can't be read in time is left out.
 */
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
    help: '1 while Temporal accepts calls, else 0',
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
    help: 'Age of the oldest inbox row without a verdict and without an open intervention',
    registers,
    async collect() {
      const open = await readInbox();
      const sinceMs = open?.oldestReceivedAt?.getTime() ?? now();
      show(this, open && Math.max(0, now() - sinceMs) / 1_000);
    },
  });
}

/** Registers open interventions by reason. A reason without any is 0, so that its alert ends. */
function registerInterventions(registers: Registry[], { interventions, now }: MetricSources): void {
  const read = shared(READING_AGE_MS, now, () => orElse(interventions(), READING_TIMEOUT_MS, null));
  new Gauge({
    name: 'oncepay_interventions_open',
    help: 'Open interventions by reason',
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
