// Run as a program: compares prisma/schema.prisma with the database of DATABASE_URL, which has all
// migrations applied, by Prisma's own schema engine; prints the differences as JSON.
// The engine is WebAssembly behind an ES module, which a test can't load itself.
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { URL, fileURLToPath } from 'node:url';
import { PrismaPg } from '@prisma/adapter-pg';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';

/* global WebAssembly */

// The adapter's own copy: both sides must have the same version.
const { bindMigrationAwareSqlAdapterFactory } = createRequire(
  import.meta.resolve('@prisma/adapter-pg'),
)('@prisma/driver-adapter-utils');

// The engine reports a panic through this global.
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };

const root = fileURLToPath(new URL('../..', import.meta.url));
const schemaFile = join(root, 'prisma', 'schema.prisma');
const migrationsDir = join(root, 'prisma', 'migrations');

// The catalogue's "char" columns reach the adapter as bytes; the engine wants one character.
const PG_CHAR = 18;
const PG_TEXT = 25;
const PRISMA_CHARACTER = 6;

function readCharAsText(connection) {
  const performIO = connection.performIO.bind(connection);
  const queryRaw = connection.queryRaw.bind(connection);
  const charColumns = new Map();
  connection.performIO = async (query) => {
    const result = await performIO(query);
    const fields = result.fields ?? [];
    const found = fields.flatMap(({ dataTypeID }, index) =>
      dataTypeID === PG_CHAR ? [index] : [],
    );
    charColumns.set(query, found);
    const asText = fields.map((field) =>
      field.dataTypeID === PG_CHAR ? { name: field.name, dataTypeID: PG_TEXT } : field,
    );
    return { ...result, rows: result.rows, fields: asText };
  };
  connection.queryRaw = async (query) => {
    const result = await queryRaw(query);
    for (const index of charColumns.get(query) ?? []) result.columnTypes[index] = PRISMA_CHARACTER;
    charColumns.delete(query);
    return result;
  };
  // The adapter cuts at every semicolon, also in a function's body; the server reads a whole file.
  connection.executeScript = async (script) => {
    await connection.client.query(script);
  };
  return connection;
}

// A shadow database made from a connection string would be the main one: use its parts instead.
const url = new URL(process.env.DATABASE_URL);
const server = {
  host: url.hostname,
  port: Number(url.port),
  user: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
};
const main = { ...server, database: decodeURIComponent(url.pathname.slice(1)) };

class CheckedAdapter extends PrismaPg {
  async connect() {
    return readCharAsText(await super.connect());
  }

  async connectToShadowDb() {
    const database = `shadow_${randomUUID()}`;
    const admin = await this.connect();
    await admin.executeScript(`CREATE DATABASE "${database}" TEMPLATE template0`);
    const shadow = readCharAsText(await new PrismaPg({ ...server, database }).connect());
    const dispose = shadow.dispose.bind(shadow);
    shadow.dispose = async () => {
      await dispose();
      await admin.executeScript(`DROP DATABASE "${database}" WITH (FORCE)`);
      await admin.dispose();
    };
    return shadow;
  }
}

async function startEngine(content) {
  const wasm = readFileSync(
    new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm')),
  );
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
  return bindings.SchemaEngine.new(
    { datamodels: [[schemaFile, content]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(new CheckedAdapter(main)),
  );
}

const content = readFileSync(schemaFile, 'utf8');
const files = [{ path: schemaFile, content }];
const filters = { externalTables: [], externalEnums: [] };
const migrationsList = {
  baseDir: resolve(migrationsDir),
  lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
  shadowDbInitScript: '',
  migrationDirectories: readdirSync(migrationsDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: {
          tag: 'ok',
          value: readFileSync(join(migrationsDir, name, 'migration.sql'), 'utf8'),
        },
      },
    })),
};
const toSchema = { to: { tag: 'schemaDatamodel', files }, script: true, exitCode: true, filters };

const engine = await startEngine(content);
const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters });
const database = await engine.diff({
  from: { tag: 'schemaDatasource', files, configDir: root },
  ...toSchema,
});
const migrations = await engine.diff({
  from: { tag: 'migrations', ...migrationsList },
  ...toSchema,
});
const history = await engine.diagnoseMigrationHistory({
  migrationsList,
  optInToShadowDatabase: true,
  filters,
});
console.log(
  JSON.stringify({
    appliedByPrisma: appliedMigrationNames,
    databaseToSchema: database.stdout,
    migrationsToSchema: migrations.stdout,
    history,
  }),
);
process.exit(0);
