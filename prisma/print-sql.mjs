// Prints the SQL that makes the tables of schema.prisma in an empty database, without a database:
//   node prisma/print-sql.mjs > prisma/migrations/<name>/migration.sql
import { readFileSync } from 'node:fs';
import { URL, fileURLToPath } from 'node:url';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';

/* global WebAssembly */

// The engine reports a panic through this global.
globalThis.PRISMA_WASM_PANIC_REGISTRY = { set_message: (message) => console.error(message) };

const wasm = readFileSync(
  new URL('schema_engine_bg.wasm', import.meta.resolve('@prisma/schema-engine-wasm')),
);
const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': bindings });
bindings.__wbg_set_wasm(instance.exports);
instance.exports.__wbindgen_start();

// On connecting the engine sends one query (is there a schema, which server is it); the comparison
// of two texts sends no more. The numbers are Prisma's column types boolean, text and int32.
const refuse = () => Promise.reject(new Error('print-sql opens no database.'));
const respondVersion = () =>
  Promise.resolve({
    ok: true,
    value: {
      columnNames: ['exists', 'version', 'numeric_version'],
      columnTypes: [5, 7, 0],
      rows: [[true, 'PostgreSQL 18.4', 180004]],
    },
  });
const connection = {
  provider: 'postgres',
  adapterName: '@prisma/adapter-pg',
  queryRaw: respondVersion,
  executeRaw: refuse,
  executeScript: refuse,
  startTransaction: refuse,
  dispose: () => Promise.resolve({ ok: true }),
};
const adapter = {
  provider: 'postgres',
  adapterName: '@prisma/adapter-pg',
  connect: () => Promise.resolve({ ok: true, value: connection }),
  connectToShadowDb: refuse,
};

const schemaFile = process.argv[2] ?? fileURLToPath(new URL('schema.prisma', import.meta.url));
const content = readFileSync(schemaFile, 'utf8');
const engine = await bindings.SchemaEngine.new(
  { datamodels: [[schemaFile, content]] },
  () => undefined,
  adapter,
);
const { stdout } = await engine.diff({
  from: { tag: 'empty' },
  to: { tag: 'schemaDatamodel', files: [{ path: schemaFile, content }] },
  script: true,
  exitCode: null,
  filters: { externalTables: [], externalEnums: [] },
});
process.stdout.write(stdout);
