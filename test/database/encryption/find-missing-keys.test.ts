// Encryption keys that rows need and the configuration lacks.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { Pool } from 'pg';
import { packageRoot } from '../../../config/paths';
import { createFieldCipher } from '../../../database/encryption/field-encryption';
import { ENCRYPTED_COLUMNS, findMissingKeys } from '../../../database/encryption/find-missing-keys';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';

let database: TestDatabase;
let sql: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Pool({ connectionString: database.url, max: 1 });
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

const k1 = { id: 'k1', key: randomBytes(32) };
const k2 = { id: 'k2', key: randomBytes(32) };

test('a key that old rows need is missing until the ring has it', async () => {
  expect(await findMissingKeys(sql, [k1])).toEqual([]);
  await sql.query("INSERT INTO products (sku, name, kind) VALUES ('codes', 'x', 'virtual')");
  const id = '01890a5d-ac96-774b-bcce-b302099a8057';
  const place = { table: 'product_codes', column: 'code', row: id };
  await sql.query(
    `INSERT INTO product_codes (id, sku, code_encrypted, code_hash) VALUES ($1, 'codes', $2, 'h')`,
    [id, createFieldCipher([k1]).encrypt(place, 'secret')],
  );
  expect(await findMissingKeys(sql, [k1])).toEqual([]);
  expect(await findMissingKeys(sql, [k2])).toEqual(['k1']);
  expect(await findMissingKeys(sql, [k2, k1])).toEqual([]);
});

test('every encrypted column of the schema is looked at', () => {
  const schema = readFileSync(join(packageRoot(), 'prisma/schema.prisma'), 'utf8');
  const inSchema = [...schema.matchAll(/@map\("(\w+_encrypted)"\)/g)].map(([, name]) => name);
  expect(ENCRYPTED_COLUMNS.map(([, , column]) => column).sort()).toEqual(inSchema.sort());
});
