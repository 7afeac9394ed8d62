// A worker's Prometheus metrics.
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/**
 * Makes the metrics of a worker.
 * @param isDown for each dependency a function that is called whenever the metrics are read
 */
export function createWorkerMetrics(isDown: Readonly<Record<string, () => Promise<boolean>>>) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'oncepay_worker_' });
  const registers = [registry];
  new Gauge({
    name: 'oncepay_dependency_up',
    help: '0 while a dependency is known to be down',
    labelNames: ['dependency'],
    registers,
    async collect() {
      for (const [dependency, down] of Object.entries(isDown)) {
        this.set({ dependency }, (await down()) ? 0 : 1);
      }
    },
  });
  return {
    registry,
    opened: new Counter({
      name: 'oncepay_interventions_opened_total',
      help: 'Interventions that were announced, by reason',
      labelNames: ['reason'],
      registers,
    }),
  };
}

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;
