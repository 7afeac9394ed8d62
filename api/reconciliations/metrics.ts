// The metric of the differences that wait for a repair or a person.
import { Gauge, type Registry } from 'prom-client';
import { DIFFERENCE_TYPE_NAMES } from '../../domain/reconciliation/differences';
import { inTime } from '../http/deadline';

/** A scrape waits this long for the database, so that its other metrics arrive in any case. */
const SCRAPE_DEADLINE_MS = 1_000;

/**
 * Registers the open differences of each type. They are read at each scrape, and left out when the
 * database does not respond. Those of other systems have no rows, and count none.
 */
export function createReconciliationMetrics(options: {
  readonly registry: Registry;
  readonly openByType: () => Promise<readonly { readonly type: string; readonly count: number }[]>;
}): void {
  const { registry, openByType } = options;
  new Gauge({
    name: 'oncepay_reconciliation_differences',
    help: 'Open differences between the bills of WeChat Pay and the orders, by type',
    labelNames: ['type'],
    registers: [registry],
    async collect() {
      this.reset();
      try {
        const rows = await inTime(openByType(), SCRAPE_DEADLINE_MS);
        for (const type of DIFFERENCE_TYPE_NAMES) this.set({ type }, 0);
        for (const { type, count } of rows) this.set({ type }, count);
      } catch {
        // The gauge is left out of this scrape.
      }
    },
  });
}
