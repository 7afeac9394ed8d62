// `npm run db:migrate`: applies the migrations that the database of DATABASE_URL lacks.
import { migrationsDir } from '../config/paths';
import { loadDatabaseUrl } from '../config/settings';
import { migrate } from '../database/migrations/apply-migrations';

async function main(): Promise<void> {
  const applied = await migrate(loadDatabaseUrl(), migrationsDir(), (line) => console.log(line));
  if (applied.length === 0) console.log('The database is up to date.');
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
