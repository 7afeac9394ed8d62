// Starts a released version alone, and then this version beside it on the same data.
import { join } from 'node:path';
import { Client } from 'pg';
import { packageRoot } from '../../../config/paths';
import { setPolicy } from '../../e2e/support/interventions';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { createEmptyDatabase, type TestDatabase } from '../../support/test-database';
import { until } from '../../support/until';
import { folderOf, type Release } from '../releases';

type Started = Awaited<ReturnType<TestOncepay['startApi']>>;

/** An Oncepay whose processes are of two versions. */
export interface Upgrade {
  readonly oncepay: TestOncepay;
  /** The processes of the released version. */
  readonly old: { readonly api: Started; readonly worker: Started };
  /** Migrates the database to this version. */
  migrate(): Promise<void>;
  /** Starts an api of this version, at the port of one that has ended. */
  startApi(port: number): Promise<Started>;
  startWorker(): Promise<Started>;
  startOldWorker(): Promise<Started>;
}

/** Times that a test does not want to wait for. */
const ENV = {
  // Each order is queried every 3 s for longer than the test takes.
  ONCEPAY_QUERY_SCHEDULE: Array.from({ length: 100 }, () => '3s').join(','),
  ONCEPAY_PATROL_INTERVAL: '20s',
  ONCEPAY_REFUND_SPACING: '0s',
  ONCEPAY_SHARING_DELAY: '0s',
} as const;
/** A version before 0.4.0 writes wrong times where the zone is not UTC. */
const OLD_ENV = { TZ: 'UTC' } as const;

/** Makes the database refuse the points of the orders that `refused_points` names. */
const REFUSED_POINTS = `
  CREATE TABLE refused_points (out_trade_no text PRIMARY KEY);
  CREATE FUNCTION refuse_points() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF EXISTS (SELECT 1 FROM refused_points r WHERE r.out_trade_no = NEW.out_trade_no) THEN
      RAISE EXCEPTION 'refused by the test';
    END IF;
    RETURN NEW;
  END $$;
  CREATE TRIGGER refuse_points BEFORE INSERT ON points_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_points();`;

/** Starts the released version on an empty database, with one api and one worker. */
export async function startReleased(release: Release): Promise<Upgrade> {
  const root = folderOf(release);
  const oncepay = await startTestOncepay({
    apis: 0,
    workers: 0,
    database: createDatabaseInUtc,
    env: ENV,
  });
  oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
  await migrate(oncepay, root);
  await oncepay.sql.query(REFUSED_POINTS);
  const [api, worker] = await Promise.all([
    oncepay.startApi(OLD_ENV, { root }),
    oncepay.startWorker(OLD_ENV, { root }),
  ]);
  // An operation that fails through the whole upgrade must not wait long afterwards.
  const often = { max_attempts: 100, max_delay_ms: 3_000 };
  await setPolicy(oncepay, 'notification.webhook', often);
  await setPolicy(oncepay, 'fulfilment.points', often);
  return {
    oncepay,
    old: { api, worker },
    migrate: () => migrate(oncepay, packageRoot()),
    async startApi(port) {
      const api = await oncepay.startApi({}, { port });
      await until('the api can reach the database', () =>
        oncepay.call('GET', '/readyz').then(({ status }) => (status === 200 ? true : null)),
      );
      return api;
    },
    startWorker: () => oncepay.startWorker(),
    startOldWorker: () => oncepay.startWorker(OLD_ENV, { root }),
  };
}

async function createDatabaseInUtc(): Promise<TestDatabase> {
  const database = await createEmptyDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    const name = client.escapeIdentifier(new URL(database.url).pathname.slice(1));
    await client.query(`ALTER DATABASE ${name} SET timezone = 'UTC'`);
  } finally {
    await client.end();
  }
  return database;
}

/** Runs a version's `npm run db:migrate`. */
async function migrate({ stack, env }: TestOncepay, root: string): Promise<void> {
  const script = join(root, 'dist/cli/migrate.js');
  const migration = await stack.spawn(`migrate-${Date.now()}`, { script, env });
  if ((await migration.exited) !== 0) throw new Error(await migration.output());
}
