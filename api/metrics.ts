import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** Counters in memory: the only trace a rejected callback leaves. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'oncepay_api_' });
  const registers = [registry];
  return {
    registry,
    callbacks: new Counter({
      name: 'oncepay_callbacks_total',
      help: 'Callbacks by outcome: added, duplicate, conflicting, or why they were refused',
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
      help: 'Runs told of an inbox row, by outcome',
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
