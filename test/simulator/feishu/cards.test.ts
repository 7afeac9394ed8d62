// The chat of the simulator: strict cards, repeats by uuid, updates, pressed buttons.
import { openEvent, startApp, startReceiver, type App, type Receiver } from './support/app';
import { button, callback, card, noteForm, text } from './support/cards';

let receiver: Receiver;
let app: App;

beforeAll(async () => {
  receiver = await startReceiver();
  app = await startApp({ callbackUrl: receiver.url, callbackTimeoutMs: 200 });
});
afterAll(async () => {
  await app.feishu.close();
  await receiver.close();
});
beforeEach(async () => {
  app.feishu.reset();
  await app.renew();
  receiver.received.length = 0;
  receiver.reply({ status: 200 });
});

const send = (content: unknown, more: object = {}) =>
  app.call('POST', 'im/v1/messages?receive_id_type=chat_id', {
    receive_id: app.feishu.settings.chatId,
    msg_type: 'interactive',
    content: JSON.stringify(content),
    ...more,
  });
const update = (messageId: string, content: unknown) =>
  app.call('PATCH', `im/v1/messages/${messageId}`, { content: JSON.stringify(content) });
const sent = async (content: unknown): Promise<string> =>
  String((await send(content)).data['message_id']);
const person = (): string => app.feishu.people[1]?.openId ?? '';

describe('a card of the simulator', () => {
  it('is sent to the chat and updated for 14 days', async () => {
    const messageId = await sent(card(text('一')));
    expect((await update(messageId, card(text('二')))).code).toBe(0);
    expect(app.feishu.cards()).toMatchObject([
      { messageId, by: 'app', updates: 1, card: card(text('二')) },
    ]);
    app.feishu.advanceClock(14 * 24 * 60 * 60_000 + 1_000);
    await app.renew();
    expect((await update(messageId, card(text('三')))).code).toBe(230031);
    expect((await update('om_none', card(text('三')))).code).toBe(230001);
  });

  it('with the same uuid is sent once within an hour', async () => {
    const first = await send(card(text('一')), { uuid: 'alert-1' });
    const again = await send(card(text('一')), { uuid: 'alert-1' });
    expect(again.data['message_id']).toBe(first.data['message_id']);
    app.feishu.advanceClock(60 * 60_000);
    await send(card(text('一')), { uuid: 'alert-1' });
    expect(app.feishu.cards()).toHaveLength(2);
  });

  it.each([
    ['an unknown property', card({ ...text('一'), colour: 'red' })],
    ['an element of cards 1.0', card({ tag: 'action', actions: [] })],
    ['an unknown property of the card', { ...card(text('一')), elements: [] }],
    ['no schema', { ...card(text('一')), schema: undefined }],
    ['no elements', card()],
    ['an unknown template', { ...card(text('一')), header: { template: 'pink' } }],
    ['a form without a button', card({ tag: 'form', name: 'f', elements: [text('一')] })],
    [
      'an element_id twice',
      card({ ...text('一'), element_id: 'a' }, { tag: 'hr', element_id: 'a' }),
    ],
    [
      'an input in a form without a name',
      card({ ...noteForm({}), elements: [{ tag: 'input' }, ...noteForm({}).elements] }),
    ],
  ])('with %s is refused', async (_case, content) => {
    const reply = await send(content);
    expect([reply.status, reply.code]).toEqual([400, 230099]);
    expect(reply.msg).toContain('ErrCode: 200621');
    expect(app.feishu.cards()).toEqual([]);
  });

  it('beyond 30 KB, to another chat, or the sixth in a second is refused', async () => {
    expect((await send(card(text('x'.repeat(31_000))))).code).toBe(230025);
    expect((await send(card(text('一')), { receive_id: 'oc_other' })).code).toBe(230002);
    const codes = [];
    for (let at = 0; at < 6; at++) codes.push((await send(card(text('一')))).code);
    expect(codes).toEqual([0, 0, 0, 0, 0, 230020]);
  });
});

describe('a pressed button of the simulator', () => {
  it('sends the value, the note and the person, and shows the toast and the new card', async () => {
    const value = { intervention: 'in_1', action: 'accept' };
    const messageId = await sent(card(text('一'), noteForm(value)));
    receiver.reply({
      status: 200,
      body: {
        toast: { type: 'success', content: '已受理', i18n: { zh_cn: '已受理', en_us: 'ok' } },
        card: { type: 'raw', data: card(text('已处理')) },
      },
    });
    const press = { value, formValue: { note: '客户已确认' } };
    const reply = await app.feishu.press(messageId, press, person());
    expect(reply).toMatchObject({ status: 200, toast: { type: 'success', content: '已受理' } });
    expect(app.feishu.cards()).toMatchObject([{ updates: 1, card: card(text('已处理')) }]);
    const [received] = receiver.received;
    if (received === undefined) throw new Error('nothing was sent');
    expect(openEvent(app.feishu.settings.encryptKey ?? '', received)).toMatchObject({
      header: { event_type: 'card.action.trigger' },
      event: {
        operator: { open_id: person() },
        action: { value, tag: 'button', name: 'accept', form_value: { note: '客户已确认' } },
        context: { open_message_id: messageId, open_chat_id: app.feishu.settings.chatId },
      },
    });
  });

  it('that gets no reply in time shows an error of Feishu and is not sent again', async () => {
    const messageId = await sent(card(button('同意', callback({ a: 1 }))));
    receiver.reply(null);
    const reply = await app.feishu.press(messageId, {}, person());
    expect(reply).toMatchObject({ status: null, toast: { type: 'error' } });
    expect(app.feishu.pendingEvents()).toBe(0);
  });

  it('whose reply is not in Feishu’s form shows an error, and the card stays', async () => {
    const messageId = await sent(card(button('同意', callback({ a: 1 }))));
    for (const body of [{ toast: 'ok' }, { card: { type: 'raw', data: { a: 1 } } }]) {
      receiver.reply({ status: 200, body });
      const reply = await app.feishu.press(messageId, {}, person());
      expect(reply.toast?.type).toBe('error');
    }
    expect(app.feishu.cards()[0]?.updates).toBe(0);
  });

  it('needs a button that calls back, a known person and an input in its bounds', async () => {
    const link = { behaviors: [{ type: 'open_url', default_url: 'https://example.com' }] };
    const messageId = await sent(card(button('打开', link), noteForm({ a: 1 })));
    const press = (value: object, note: string, by = person()) =>
      app.feishu.press(messageId, { value: { ...value }, formValue: { note } }, by);
    await expect(press({ a: 2 }, 'x')).rejects.toThrow('no such button');
    await expect(press({ a: 1 }, '')).rejects.toThrow('note is empty');
    await expect(press({ a: 1 }, 'x'.repeat(1_001))).rejects.toThrow('note is too long');
    await expect(press({ a: 1 }, 'x', 'ou_stranger')).rejects.toThrow('nobody is ou_stranger');
    expect(receiver.received).toEqual([]);
  });
});
