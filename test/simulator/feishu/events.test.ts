// Events of the simulator: encrypted and signed, at least once, about people's edits and our own.
import { z } from 'zod';
import {
  decrypt,
  openEvent,
  startApp,
  startReceiver,
  writtenBy,
  type App,
  type Receiver,
} from './support/app';

let receiver: Receiver;
let app: App;
let tableId: string;
let key: string;

beforeAll(async () => {
  receiver = await startReceiver();
  app = await startApp({ callbackUrl: receiver.url, callbackTimeoutMs: 200 });
  key = app.feishu.settings.encryptKey ?? '';
});
afterAll(async () => {
  await app.feishu.close();
  await receiver.close();
});
beforeEach(async () => {
  app.feishu.reset();
  await app.renew();
  receiver.reply({ status: 200 });
  tableId = await app.makeTable([
    { field_name: '操作', type: 1 },
    { field_name: '基础延迟(ms)', type: 2 },
  ]);
  const file = `drive/v1/files/${app.feishu.settings.appToken}`;
  await app.call('POST', `${file}/subscribe?file_type=bitable`);
  receiver.received.length = 0;
});

const person = (): string => app.feishu.people[0]?.openId ?? '';
const events = () => receiver.received.map((one) => openEvent(key, one));
const addRow = () => app.feishu.addRow(tableId, { 操作: 'wechat.prepay' }, person());

describe('an event of the simulator', () => {
  it('says who changed which cells, by the id of the column, as JSON in a string', async () => {
    const { recordId } = await addRow();
    await app.feishu.edit(tableId, recordId, { '基础延迟(ms)': 500 }, person());
    const [, edited] = events();
    const fieldId = app.feishu.tables()[0]?.fields[1]?.fieldId;
    expect(edited?.header).toMatchObject({
      event_type: 'drive.file.bitable_record_changed_v1',
      token: app.feishu.settings.verificationToken,
    });
    expect(edited?.event).toMatchObject({
      file_token: app.feishu.settings.appToken,
      table_id: tableId,
      operator_id: { open_id: person() },
      action_list: [
        {
          record_id: recordId,
          action: 'record_edited',
          before_value: [{ field_id: fieldId, field_value: '' }],
          after_value: [{ field_id: fieldId, field_value: '500' }],
        },
      ],
    });
  });

  it('also comes for the writes of the app itself, and for deleted rows', async () => {
    const reply = await app.rows(tableId, 'batch_create', { records: [{ fields: {} }] });
    await app.feishu.deleteRow(tableId, writtenBy(reply)[0]?.record_id ?? '', person());
    await app.feishu.idle();
    const seen = events().map(({ event }) => [event['operator_id'], event['action_list']]);
    expect(seen).toMatchObject([
      [{ open_id: app.feishu.settings.appOpenId }, [{ action: 'record_added' }]],
      [{ open_id: person() }, [{ action: 'record_deleted' }]],
    ]);
  });

  it('is sent again after 15 s, 5 min, 1 h and 6 h until a 200, with the same id', async () => {
    receiver.reply({ status: 500 });
    const { delivery } = await addRow();
    expect(delivery).toMatchObject({ status: 500, attempt: 1 });
    for (const [at, waitMs] of [15_000, 300_000, 3_600_000, 21_600_000].entries()) {
      app.feishu.advanceClock(waitMs - 2_000);
      await app.feishu.idle();
      expect(receiver.received).toHaveLength(at + 1);
      app.feishu.advanceClock(2_000);
      await app.feishu.idle();
      expect(receiver.received).toHaveLength(at + 2);
    }
    expect(new Set(events().map(({ header }) => header.event_id)).size).toBe(1);
    expect(app.feishu.pendingEvents()).toBe(0);
  });

  it('that got no reply in time is sent again, and not after its 200', async () => {
    receiver.reply(null);
    expect((await addRow()).delivery).toMatchObject({ status: null });
    receiver.reply({ status: 200 });
    app.feishu.advanceClock(15_000);
    await app.feishu.idle();
    expect(app.feishu.deliveries().map(({ status }) => status)).toEqual([null, 200]);
    expect(app.feishu.pendingEvents()).toBe(0);
  });

  it('comes twice, or is forged, when a test says so', async () => {
    app.feishu.setEvents({ duplicates: 2 });
    const { delivery } = await addRow();
    expect(receiver.received).toHaveLength(2);
    expect(new Set(events().map(({ header }) => header.event_id)).size).toBe(1);
    await app.feishu.resendEvent(delivery?.eventId ?? '');
    expect(receiver.received).toHaveLength(3);
    app.feishu.setEvents({ forged: 'signature' });
    await addRow();
    expect(() => events()).toThrow('the signature is wrong');
    receiver.received.length = 0;
    app.feishu.setEvents({ forged: 'stale' });
    await addRow();
    const sentS = Number(receiver.received[0]?.headers['x-lark-request-timestamp']);
    expect(Date.now() / 1000 - sentS).toBeGreaterThan(3_500);
    app.feishu.setEvents({ forged: 'token' });
    await addRow();
    expect(events()[1]?.header.token).not.toBe(app.feishu.settings.verificationToken);
  });

  it('does not come while the app has not subscribed, or events are silent', async () => {
    app.feishu.setEvents({ silent: true });
    expect((await addRow()).delivery).toBeNull();
    app.feishu.setEvents({});
    const file = `drive/v1/files/${app.feishu.settings.appToken}`;
    await app.call('DELETE', `${file}/delete_subscribe?file_type=bitable`);
    expect((await addRow()).delivery).toBeNull();
    const state = await app.call('GET', `${file}/get_subscribe?file_type=bitable`);
    expect(state.data).toEqual({ is_subscribe: false });
    expect(receiver.received).toEqual([]);
  });
});

it('the check of an address is encrypted, but not signed', async () => {
  await app.feishu.verifyUrl();
  const [check] = receiver.received;
  expect(check?.headers['x-lark-signature']).toBeUndefined();
  const { encrypt } = z.object({ encrypt: z.string() }).parse(JSON.parse(check?.raw ?? ''));
  expect(JSON.parse(decrypt(key, encrypt))).toEqual({
    challenge: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    token: app.feishu.settings.verificationToken,
    type: 'url_verification',
  });
});

it('the vector of the documentation is decrypted by the receiver of these tests', () => {
  const vector = 'P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=';
  expect(decrypt('test key', vector)).toBe('hello world');
});
