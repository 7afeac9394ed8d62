// Faults that a test sets in the simulator, and its control API.
import { wechatpayEnvironment } from '../../../simulator/wechatpay/keys/credentials';
import { startReceiver } from './support/callback-receiver';
import {
  closeOrder,
  isSignedBy,
  prepay,
  prepayBody,
  query,
  start,
  type Fixture,
} from './support/merchant-client';
import { anyText, matching } from './support/matchers';

let fixture: Fixture;

beforeAll(async () => {
  fixture = await start();
});
afterAll(async () => {
  await fixture.simulator.close();
});
beforeEach(() => fixture.simulator.reset());

describe('a fault of the simulator', () => {
  it('a fault returns a signed error, as often as it was set', async () => {
    const code = 'FREQUENCY_LIMITED';
    fixture.simulator.setFault({ operation: 'query', kind: 'error', status: 429, code, times: 2 });
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    for (const status of [429, 429, 404]) {
      const answer = await query(fixture, 'not-there');
      expect(answer.status).toBe(status);
      expect(isSignedBy(key, (name) => answer.headers.get(name), answer.text)).toBe(true);
    }
  });

  it('a fault applies only to its operation and its order', async () => {
    fixture.simulator.setFault({ operation: 'query', kind: 'error', outTradeNo: 'ORDER-2' });
    expect((await query(fixture, 'ORDER-1')).status).toBe(404);
    expect((await closeOrder(fixture, 'ORDER-2')).status).toBe(404);
    expect((await query(fixture, 'ORDER-2')).status).toBe(500);
  });

  it('a fault cuts the connection after or before the work was done', async () => {
    const lost = prepayBody(fixture.credentials, 'LOST-REQUEST');
    const done = prepayBody(fixture.credentials, 'LOST-ANSWER');
    fixture.simulator.setFault({ operation: 'prepay', kind: 'cut' });
    await expect(prepay(fixture, lost)).rejects.toThrow();
    fixture.simulator.setFault({ operation: '*', kind: 'cut_after' });
    await expect(prepay(fixture, done)).rejects.toThrow();
    expect(fixture.simulator.order('LOST-REQUEST')).toBeNull();
    expect(fixture.simulator.order('LOST-ANSWER')).toMatchObject({ tradeState: 'NOTPAY' });
    expect(fixture.simulator.requestsOf('LOST-ANSWER')).toMatchObject([
      { status: null, fault: 'cut_after' },
    ]);
  });

  it('a fault responds without a signature, with a wrong one, or as a proxy does', async () => {
    const key = fixture.simulator.publicKeyOf()?.pem ?? '';
    fixture.simulator.setFault({ operation: 'query', kind: 'unsigned' });
    fixture.simulator.setFault({ operation: 'query', kind: 'forged' });
    fixture.simulator.setFault({ operation: 'query', kind: 'html' });
    const unsigned = await query(fixture, 'not-there');
    const forged = await query(fixture, 'not-there');
    const html = await query(fixture, 'not-there');
    expect(unsigned.headers.get('wechatpay-signature')).toBeNull();
    expect(isSignedBy(key, (name) => forged.headers.get(name), forged.text)).toBe(false);
    expect([html.status, html.headers.get('content-type')]).toEqual([
      502,
      'text/html; charset=utf-8',
    ]);
  });

  it('a fault leaves a request without a response until the simulator closes', async () => {
    const other = await start();
    other.simulator.setFault({ operation: 'prepay', kind: 'timeout_after' });
    const asked = prepay(other, prepayBody(other.credentials, 'NO-ANSWER'));
    const ended = expect(asked).rejects.toThrow();
    while (other.simulator.order('NO-ANSWER') === null) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await other.simulator.close();
    await ended;
  });
});

describe('the control API of the simulator', () => {
  const post = async (path: string, body: object): Promise<{ status: number; json: unknown }> => {
    const response = await fetch(`${fixture.simulator.url}/_control/${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    return { status: response.status, json: await response.json() };
  };
  const get = async (path: string): Promise<unknown> =>
    (await fetch(`${fixture.simulator.url}/_control/${path}`)).json();

  it('a control call pays an order and shows the callback’s reply and the orders', async () => {
    const receiver = await startReceiver();
    const no = 'BY-CONTROL-1';
    await prepay(fixture, prepayBody(fixture.credentials, no, { notify_url: receiver.url }));
    const paid = await post('pay', { out_trade_no: no, total: 5, payer_total: 4 });
    expect(paid.json).toMatchObject({
      out_trade_no: no,
      trade_state: 'SUCCESS',
      callback: { outcome: 'accepted', status: 204 },
    });
    expect(await get(`orders/${no}`)).toMatchObject({ payments: [{ total_fen: 5 }] });
    expect(await get('orders')).toHaveLength(1);
    expect(await get(`requests?out_trade_no=${no}`)).toMatchObject({
      counts: { prepay: 1 },
      of: [{ operation: 'prepay', body_sha256: matching(/^[0-9a-f]{64}$/) }],
    });
    const raw = await post('send-raw', { kind: 'refund', out_trade_no: no });
    expect(raw.json).toMatchObject({ status: 204 });
    expect(await get(`deliveries?out_trade_no=${no}`)).toMatchObject({
      deliveries: [{ kind: 'scheduled' }, { kind: 'raw' }],
      pending: 0,
    });
    await receiver.close();
  });

  it('control calls set faults, clock, callbacks and rules; unknown ones get 400', async () => {
    const fault = { operation: 'query', kind: 'error', delay_ms: 1, out_trade_no: 'ORDER-1' };
    const tamper = { kind: 'timestamp', stale_seconds: 400 };
    expect((await post('faults', fault)).status).toBe(200);
    expect((await post('callbacks', { tamper, delay_ms: 1 })).status).toBe(200);
    expect((await post('callbacks', {})).status).toBe(200);
    expect((await post('clock', { speed: 10 })).status).toBe(200);
    expect((await post('close-rule', { refuse_within_ms: 0 })).status).toBe(200);
    expect((await post('rotate-key', {})).json).toMatchObject({ id: anyText() });
    expect((await query(fixture, 'ORDER-1')).status).toBe(500);
    expect((await post('reset', {})).status).toBe(200);
    expect((await post('pay', { out_trade_no: 'NOT-THERE' })).status).toBe(404);
    expect((await post('faults', { ...fault, surprise: 1 })).status).toBe(400);
  });
});

it('a control call returns the environment with which Oncepay can call it', () => {
  const { simulator, credentials } = fixture;
  const environment = wechatpayEnvironment(simulator, credentials, 'http://127.0.0.1:1/callbacks');
  expect(environment).toMatchObject({
    WECHATPAY_BASE_URL: simulator.url,
    WECHATPAY_PUBLIC_KEY_ID: simulator.publicKeyOf()?.id,
  });
  for (const value of Object.values(environment)) expect(value).not.toContain('\n');
});
