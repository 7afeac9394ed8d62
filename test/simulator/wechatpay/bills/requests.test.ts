// The simulator's bill API is as strict as WeChat's: days, types, URLs, signatures.
import {
  at,
  BILL_DATE,
  control,
  download,
  fileOf,
  get,
  MORNING_MS,
  paid,
  readyBill,
  requestBill,
  startWithClock,
  type BillFixture,
} from '../support/bills';
import { isSignedBy } from '../support/merchant-client';
import {
  createMerchantCredentials,
  merchantFor,
} from '../../../../simulator/wechatpay/keys/credentials';

const HOUR_MS = 3_600_000;
const TRADE = `tradebill?bill_date=${BILL_DATE}`;
const FUND_FLOW = `fundflowbill?bill_date=${BILL_DATE}`;

let fixture: BillFixture;

beforeAll(async () => {
  fixture = await startWithClock();
});
afterAll(() => fixture.simulator.close());
beforeEach(() => {
  fixture.simulator.reset();
  fixture.clock.nowMs = MORNING_MS;
});

describe('the request of a bill', () => {
  test.each([
    ['tradebill?bill_date=2026-11-29', 'INVALID_REQUEST'],
    ['tradebill?bill_date=2026-11-30', 'INVALID_REQUEST'],
    ['tradebill?bill_date=2026-08-28', 'INVALID_REQUEST'],
    ['tradebill?bill_date=2026-08-29', 'NO_STATEMENT_EXIST'],
    ['tradebill?bill_date=2026-02-30', 'PARAM_ERROR'],
    ['tradebill?bill_date=20261128', 'PARAM_ERROR'],
    ['tradebill', 'PARAM_ERROR'],
    [`${TRADE}&bill_type=EVERYTHING`, 'PARAM_ERROR'],
    [`${TRADE}&tar_type=ZIP`, 'PARAM_ERROR'],
    [`${TRADE}&account_type=BASIC`, 'PARAM_ERROR'],
    [`${FUND_FLOW}&account_type=OTHER`, 'PARAM_ERROR'],
    [`${FUND_FLOW}&bill_type=ALL`, 'PARAM_ERROR'],
    ['fundflowbill?bill_date=2026-11-29', 'INVALID_REQUEST'],
    [TRADE, 'NO_STATEMENT_EXIST'],
    [FUND_FLOW, 'NO_STATEMENT_EXIST'],
  ])('the request %s is refused with %s, where there was no trade', async (query, code) => {
    expect(await requestBill(fixture, query)).toMatchObject({ status: 400, json: { code } });
  });

  test('a bill is still being made before ten in the morning, also of an empty day', async () => {
    fixture.clock.nowMs = MORNING_MS - 1;
    const creating = { status: 400, json: { code: 'STATEMENT_CREATING' } };
    expect(await requestBill(fixture, TRADE)).toMatchObject(creating);
    expect(await requestBill(fixture, FUND_FLOW)).toMatchObject(creating);
    fixture.clock.nowMs = MORNING_MS;
    expect(await requestBill(fixture, TRADE)).toMatchObject({
      json: { code: 'NO_STATEMENT_EXIST' },
    });
  });

  test('a bill is made earlier where a control call says so, until the reset', async () => {
    fixture.clock.nowMs = MORNING_MS - 10 * HOUR_MS;
    expect(await control(fixture, 'bill-rules', { ready_hour: 0 })).toMatchObject({ status: 200 });
    const none = { json: { code: 'NO_STATEMENT_EXIST' } };
    expect(await requestBill(fixture, TRADE)).toMatchObject(none);
    fixture.simulator.reset();
    const creating = { json: { code: 'STATEMENT_CREATING' } };
    expect(await requestBill(fixture, TRADE)).toMatchObject(creating);
  });

  test('a signed response names the SHA-1 of the unpacked file', async () => {
    await paid(fixture, at('10:15:30'));
    const response = await requestBill(fixture, `${TRADE}&tar_type=GZIP`);
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    expect(isSignedBy(key, (name) => response.headers.get(name), response.text)).toBe(true);
    const packed = await fileOf(fixture, `${TRADE}&tar_type=GZIP`);
    expect(await fileOf(fixture, TRADE)).toEqual(packed);
    expect(await fileOf(fixture, `${TRADE}&bill_type=ALL`)).toEqual(packed);
  });

  test('the same books make the same bytes', async () => {
    for (const minute of ['10', '11', '12', '13']) await paid(fixture, at(`10:${minute}:00`));
    expect(await fileOf(fixture, TRADE)).toEqual(await fileOf(fixture, TRADE));
    expect(await fileOf(fixture, FUND_FLOW)).toEqual(await fileOf(fixture, FUND_FLOW));
  });

  test('a day without trades has a file where the account is of that kind', async () => {
    fixture.simulator.setBillRules({ emptyFile: true });
    const text = (await fileOf(fixture, TRADE)).toString();
    expect(text).toMatch(/^\ufeff交易时间,.*\r\n总交易单数,.*\r\n`0,`0\.00,.*\r\n$/);
  });
});

describe('the days of bills are Beijing’s', () => {
  test('a payment at midnight belongs to the day that begins', async () => {
    await paid(fixture, at('23:59:59', '2026-11-27'));
    await paid(fixture, at('00:00:00'));
    await paid(fixture, at('23:59:59'));
    await paid(fixture, at('00:00:00', '2026-11-29'));
    const text = (await fileOf(fixture, TRADE)).toString();
    expect(text.match(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g)?.toSorted()).toEqual([
      '2026-11-28 00:00:00',
      '2026-11-28 23:59:59',
    ]);
  });

  test('the trades of today come into the bill of yesterday where a test wants it', async () => {
    fixture.clock.nowMs = MORNING_MS + HOUR_MS;
    await paid(fixture, at('10:30:00', '2026-11-29'));
    expect(await requestBill(fixture, TRADE)).toMatchObject({
      json: { code: 'NO_STATEMENT_EXIST' },
    });
    expect(await control(fixture, 'bill-rules', { with_today: true })).toMatchObject({
      json: { done: true },
    });
    expect((await fileOf(fixture, TRADE)).toString()).toContain('`2026-11-29 10:30:00,');
    expect((await fileOf(fixture, FUND_FLOW)).toString()).toContain('`2026-11-29 10:30:00,');
    const before = `tradebill?bill_date=2026-11-27`;
    expect(await requestBill(fixture, before)).toMatchObject({
      json: { code: 'NO_STATEMENT_EXIST' },
    });
  });
});

describe('the download', () => {
  test('a file is unsigned, and packed as the request wished', async () => {
    await paid(fixture, at('10:15:30'));
    const plain = await readyBill(fixture, TRADE);
    const packed = await readyBill(fixture, `${TRADE}&tar_type=GZIP`);
    expect(packed.url).toBe(
      packed.url.replace(/(\?token=\w+)?(&tartype=gzip)?$/, '$1&tartype=gzip'),
    );
    const file = await download(fixture, plain.url);
    expect(file.headers.get('wechatpay-signature')).toBeNull();
    expect(file.bytes.subarray(0, 3)).toEqual(Buffer.from('\ufeff'));
    expect((await download(fixture, packed.url)).bytes.subarray(0, 2)).toEqual(
      Buffer.from([0x1f, 0x8b]),
    );
  });

  test('a download needs a signed request', async () => {
    await paid(fixture, at('10:15:30'));
    const { url } = await readyBill(fixture, TRADE);
    const response = await fetch(url);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'SIGN_ERROR' });
  });

  test('a URL works for five minutes, and is too old then', async () => {
    await paid(fixture, at('10:15:30'));
    const { url } = await readyBill(fixture, TRADE);
    fixture.clock.nowMs += 5 * 60_000;
    expect(await download(fixture, url)).toMatchObject({ status: 200 });
    fixture.clock.nowMs += 1;
    const late = await download(fixture, url);
    expect(late.status).toBe(400);
    expect(JSON.parse(late.bytes.toString())).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  test('an invented token is refused like an old one', async () => {
    expect(await get(fixture, '/v3/billdownload/file?token=x')).toMatchObject({
      status: 400,
      json: { code: 'INVALID_REQUEST' },
    });
  });
});

test('a merchant gets neither the trades nor the file of another', async () => {
  const other = await createMerchantCredentials();
  const credentials = await createMerchantCredentials();
  const merchants = [merchantFor(credentials), merchantFor(other)];
  const both = { ...(await startWithClock({ merchants })), credentials };
  await paid(both, at('10:15:30'));
  const { url } = await readyBill(both, TRADE);
  const stranger = { ...both, credentials: other };
  const key = both.simulator.publicKeyOf(other.merchantId)?.id ?? '';
  const refused = await download(
    { ...stranger, simulator: { ...both.simulator, publicKeyOf: () => ({ id: key, pem: '' }) } },
    url,
  );
  expect(JSON.parse(refused.bytes.toString())).toMatchObject({ code: 'NO_AUTH' });
  expect(refused.status).toBe(403);
  await both.simulator.close();
});
