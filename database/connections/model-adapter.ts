// Connects Prisma's models to a pool, in the schema that the raw SQL on that pool uses.
import { PrismaPg } from '@prisma/adapter-pg';
import type { ClientBase, Pool } from 'pg';
import { readDatabaseUrl } from '../../domain/settings/database-url';

/**
 * The schema in which raw SQL finds our tables; before the first migration the one in which it
 * would create them. null when the search_path names no schema that exists.
 */
const FIND_SCHEMA = `SELECT coalesce(
  (SELECT nspname FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
    WHERE pg_class.oid = to_regclass('notification_inbox')),
  current_schema())::text AS schema`;

/** Reads the schema that raw SQL of this connection uses, or null when there is none. */
export async function findSchema(connection: Pool | ClientBase): Promise<string | null> {
  const { rows } = await connection.query<{ schema: string | null }>(FIND_SCHEMA);
  return rows[0]?.schema ?? null;
}

/**
 * The adapter for `new PrismaClient`. Prisma writes the schema before each table's name, and
 * `public` where nothing else is said. So the schema is read from the database, once, before the
 * first query of a model; after a failure the next query reads it again.
 * @param url `DATABASE_URL`; no statement is needed where it names the schema
 */
export function modelAdapter(pool: Pool, url: string) {
  const { schema: given } = readDatabaseUrl(url);
  return {
    provider: 'postgres' as const,
    adapterName: '@prisma/adapter-pg',
    async connect() {
      const schema = given ?? (await findSchema(pool)) ?? 'public';
      return new PrismaPg(pool, { schema }).connect();
    },
  };
}
