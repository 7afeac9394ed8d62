/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the pool of codes.
import { Pool } from 'pg';
import { createTestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const ACTOR = { name: 'shop', role: 'merchant' };
const ROUNDS = 20;

test('two products get the same codes at once: one gets all, the other is refused', async () => {
  const database = await createTestDatabase();
  const sql = new Pool({ connectionString: database.url, max: 1 });
  const one = openDatabase({ url: database.url, ...secrets, webhooks: false });
  try {
    for (const sku of ['a', 'b']) {
      await one.products.put({ sku, name: sku, kind: 'virtual', stock: null }, ACTOR);
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      const codes = ['v', 'w', 'x', 'y', 'z'].map((letter) => `${letter}-${round}`);
      const answers = await Promise.all([
        one.products.addCodes('a', codes, ACTOR),
        one.products.addCodes('b', [...codes].reverse(), ACTOR),
      ]);
      expect(answers.map(({ kind }) => kind).sort()).toEqual(['code_taken', 'ok']);
    }
    const { rows } = await sql.query(`SELECT count(*)::int AS codes FROM product_codes`);
    expect(rows).toEqual([{ codes: ROUNDS * 5 }]);
  } finally {
    await Promise.all([one.end(), sql.end()]);
    await database.drop();
  }
});
