// Run as a program: lets a released Oncepay work on a PostgreSQL server in Asia/Shanghai and stores
// all rows of its database as SQL. The head of the SQL file says how to call it.
const { readFileSync, writeFileSync } = require('node:fs');
const { dirname, join, resolve } = require('node:path');
const { setTimeout: delay } = require('node:timers/promises');

const [folder, file] = process.argv.slice(2).map((path) => resolve(path));
const released = (path) => require(join(folder, path));
const { Client } = released('node_modules/pg');
const { playAll } = released('dist/demo/play');
const { allScenarios } = released('dist/demo/scenarios/all');
const { startDemo } = released('dist/demo/start');

/** One of each kind; the others only add rows of the same kinds. */
const PLAYED = [
  'admin (QR code): virtual goods',
  'A callback that never comes: WeChat is asked',
  'Forged, stale and broken callbacks',
  'A wrong amount above the limit, accepted by two keys',
  'A second payment for one order goes back by itself',
  'A payment after the close goes back by itself',
  'A part of the money back, then the rest with the goods',
  'A refund whose account is gone, sent to a bank card',
  'A payment shared with two, one of whom can’t take it; then the rest unfrozen',
  'A refund of a shared payment takes the share back first',
  'An effect keeps failing; its policy is lowered meanwhile; a person has it tried again',
  'An order that nobody pays',
  'The patrol comes by itself',
];

const HEAD = readFileSync(join(dirname(process.argv[1]), 'head.sql'), 'utf8');

async function place(world, user, more = {}) {
  const body = {
    channel: 'admin',
    user_id: user,
    description: user,
    items: [{ sku: 'mug', quantity: 1, unit_price: 1500 }],
    amount: { total: 1500, currency: 'CNY' },
    ...more,
  };
  const sentAt = new Date().toISOString();
  const reply = await world.oncepay.call('POST', '/v1/orders', {
    body,
    headers: { 'idempotency-key': user },
  });
  const { out_trade_no: no, expires_at: expiresAt, status } = reply.body;
  return { no, status, sentAt, repliedAt: new Date().toISOString(), expiresAt };
}

async function beforeTheOutage(world) {
  const { oncepay, shop, simulator } = world;
  const codes = (await oncepay.call('GET', '/v1/orders?status=fulfilled&limit=200')).body.data;
  for (const { out_trade_no: no } of codes) {
    const { codes: handedOut = [] } = (await oncepay.call('GET', `/v1/orders/${no}`)).body;
    for (const { sku, code } of handedOut.slice(0, 1)) {
      await oncepay.call('POST', `/v1/products/${sku}/codes/used`, { body: { codes: [code] } });
    }
  }
  await shop.putProduct('mug', { name: 'A mug', stock: 10 });
  await oncepay.call('POST', '/v1/products/mug/stock', { body: { delta: 50, reason: 'count' } });
  await oncepay.call('PUT', '/v1/settings/keep_delivery_logs', { body: { value: '20d' } });
  const card = { sku: 'gift-card', quantity: 1, unit_price: 1000, kind: 'virtual' };
  const revoked = await place(world, 'revoked', {
    items: [card],
    amount: { total: 1000, currency: 'CNY' },
  });
  await simulator.pay({ outTradeNo: revoked.no });
  await shop.waitFor(revoked.no, 'fulfilled');
  await oncepay.call('POST', `/v1/orders/${revoked.no}/refunds`, {
    body: { out_refund_no: 'revoked-1', amount: 1000, revoke_codes: true },
  });
  await shop.waitFor(revoked.no, 'refunded');
  const paid = await place(world, 'fulfilled');
  await simulator.pay({ outTradeNo: paid.no });
  await shop.waitFor(paid.no, 'fulfilled');
  return paid;
}

async function inTheOutage(world, paid) {
  const { oncepay, simulator } = world;
  const open = await place(world, 'open', { expires_in_seconds: 3600 });
  const waiting = await place(world, 'waiting');
  const closing = await place(world, 'closing');
  const resolved = await place(world, 'resolved');
  await simulator.pay({ outTradeNo: resolved.no, totalFen: 1 });
  const question = await world.desk.asked(resolved.no, 'amount_mismatch');
  await world.killWorker();
  await world.desk.answer(question, 'accept');
  await world.stack.stopTemporal('SIGKILL');
  const noticeAt = new Date().toISOString();
  await simulator.pay({ outTradeNo: waiting.no });
  const created = await place(world, 'created');
  await oncepay.call('POST', `/v1/orders/${closing.no}/close`);
  await oncepay.call('POST', `/v1/orders/${paid.no}/refunds`, {
    body: { out_refund_no: 'waiting-1', amount: 500 },
  });
  await untilOutageIsKnown(oncepay.databaseUrl);
  return { open, waiting, closing, created, paid, resolved, noticeAt };
}

async function untilOutageIsKnown(databaseUrl) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const query = "SELECT 1 FROM dependencies WHERE name = 'temporal' AND state = 'down'";
  while ((await client.query(query)).rowCount === 0) await delay(500);
  await client.end();
}

/** All tables but the list of migrations, in one snapshot. */
async function rowsOf(databaseUrl) {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  const zone = (await client.query('SHOW TimeZone')).rows[0].TimeZone;
  await client.query("SET TimeZone = 'UTC'; BEGIN ISOLATION LEVEL REPEATABLE READ");
  const { rows: tables } = await client.query(
    `SELECT table_name AS name FROM information_schema.tables
     WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
       AND table_name <> '_prisma_migrations'
     ORDER BY 1`,
  );
  const statements = [];
  for (const { name } of tables) {
    const { rows } = await client.query(
      `SELECT to_jsonb(t)::text AS line FROM "${name}" t ORDER BY 1`,
    );
    if (rows.length === 0) continue;
    const lines = rows.map(({ line }) => line.replaceAll("'", "''")).join(',\n');
    const records = `jsonb_populate_recordset(NULL::"${name}", '[\n${lines}\n]')`;
    statements.push(`INSERT INTO "${name}" SELECT * FROM ${records};\n`);
  }
  await client.end();
  return { zone, statements };
}

async function main() {
  const startedAt = new Date().toISOString();
  const demo = startDemo(console.error);
  try {
    const world = await demo.started;
    const played = allScenarios.filter(({ name }) => PLAYED.includes(name));
    if (played.length !== PLAYED.length) throw new Error('A scenario has another name');
    await playAll(played, world, ({ verdict, name }) => console.error(verdict, name));
    const orders = await inTheOutage(world, await beforeTheOutage(world));
    const { zone, statements } = await rowsOf(world.oncepay.databaseUrl);
    const facts = { zone, startedAt, endedAt: new Date().toISOString(), ...orders };
    writeFileSync(file, `${HEAD}-- facts: ${JSON.stringify(facts)}\n${statements.join('\n')}`);
  } finally {
    await demo.stop();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
