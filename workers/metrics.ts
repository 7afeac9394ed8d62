import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/**
 * What a worker counts; served beside its health.
 * @param isDown of each dependency, asked when the metrics are read
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
      help: 'Interventions that were told of, by reason',
      labelNames: ['reason'],
      registers,
    }),
  };
}

export type WorkerMetrics = ReturnType<typeof createWorkerMetrics>;
