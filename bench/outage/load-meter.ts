// Measures the CPU of api, worker, Temporal and PostgreSQL over a time.
import type { Pool } from 'pg';
import { cpuMsOf, findPostmaster, findTemporalBeside, postgresCpuMs } from '../ground/processes';

/** CPU over a time, as a share of one core: 1.5 is one and a half cores. */
export interface Load {
  readonly api: number;
  readonly worker: number;
  readonly temporal: number;
  readonly postgres: number;
}

/** Starts to measure. @returns the end of the measurement */
type LoadMeter = () => Promise<() => Promise<Load>>;

export async function createLoadMeter(
  sql: Pool,
  pids: { readonly api: number; readonly worker: number },
): Promise<LoadMeter> {
  const postmaster = await findPostmaster(sql);
  const temporal = await findTemporalBeside(pids.worker);
  const read = async (): Promise<Load> => {
    const [api, worker, ofTemporal, postgres] = await Promise.all([
      cpuMsOf(pids.api),
      cpuMsOf(pids.worker),
      cpuMsOf(temporal),
      postgresCpuMs(postmaster),
    ]);
    return { api, worker, temporal: ofTemporal, postgres };
  };
  return async () => {
    const before = await read();
    const startedMs = performance.now();
    return async () => {
      const after = await read();
      const passedMs = performance.now() - startedMs;
      const share = (name: keyof Load) => (after[name] - before[name]) / passedMs;
      return {
        api: share('api'),
        worker: share('worker'),
        temporal: share('temporal'),
        postgres: share('postgres'),
      };
    };
  };
}
