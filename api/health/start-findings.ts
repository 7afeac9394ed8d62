// Findings about the configuration that only the database can give: at the start, and for --check.
import type { Logger } from '../../config/logger';
import { migrationsDir } from '../../config/paths';
import { checkEnvironment, type Settings } from '../../config/settings';
import type { Database } from '../../database/database';

/** Pause before the next look at a database that is away. */
const RETRY_MS = 10_000;

interface Findings {
  /** Each has to be corrected before the version serves. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** @throws when the database is not reachable */
async function inspect({ health }: Pick<Database, 'health'>): Promise<Findings> {
  const superuser = (await health.isSuperuser())
    ? ['DATABASE_URL names a superuser; a role that owns its schema is enough']
    : [];
  return { problems: [], warnings: superuser };
}

/**
 * Logs the findings of the environment at once, and those of the database as soon as it is
 * reachable.
 * @returns the end of the wait for the database
 */
export function logFindings(
  settings: Settings,
  database: Pick<Database, 'health'>,
  logger: Logger,
): () => void {
  const warn = (finding: string) => logger.warn({ finding }, 'config.warning');
  settings.warnings.forEach(warn);
  let timer: NodeJS.Timeout | null = null;
  const look = () => {
    inspect(database).then(
      ({ problems, warnings }) => {
        for (const finding of problems) logger.error({ finding }, 'config.problem');
        warnings.forEach(warn);
      },
      () => {
        // `/readyz` says why the database is away.
        timer = setTimeout(look, RETRY_MS);
        timer.unref();
      },
    );
  };
  look();
  return () => {
    if (timer) clearTimeout(timer);
  };
}

/** True when the process has to check its configuration and end, for `npm run start:api -- --check`. */
export const isCheck = (): boolean => process.argv.includes('--check');

/**
 * Prints every finding about the environment and the database to stdout, and serves nothing.
 * @param open opens the database; nothing is sent to it before
 * @returns the exit code: 1 when something has to be corrected before the start, else 0
 */
export async function checkStart(open: (settings: Settings) => Database): Promise<number> {
  const { settings, problems, warnings } = checkEnvironment();
  const found = settings
    ? await inspectReachable(open(settings))
    : { problems: [], warnings: ['The database was not checked, because of the errors above'] };
  const errors = [...problems, ...found.problems];
  const all = [...warnings, ...found.warnings];
  for (const line of errors) process.stdout.write(`ERROR  ${line}\n`);
  for (const line of all) process.stdout.write(`WARN   ${line}\n`);
  process.stdout.write(`${errors.length} to correct before the start, ${all.length} warnings\n`);
  return errors.length === 0 ? 0 : 1;
}

/** The findings of the database, of which the first is whether it can be used. */
async function inspectReachable(database: Database): Promise<Findings> {
  try {
    const { reachable, reason, pendingMigrations } = await database.health.check(migrationsDir());
    if (!reachable) {
      return { problems: [], warnings: [`DATABASE_URL: the database is away: ${reason ?? '?'}`] };
    }
    const { problems, warnings } = await inspect(database);
    const pending = pendingMigrations ?? [];
    const migrations =
      pending.length === 0 ? [] : [`Run npm run db:migrate first; it lacks ${pending.join(', ')}`];
    return { problems, warnings: [...migrations, ...warnings] };
  } finally {
    await database.end();
  }
}
