// The group's bot of the simulator: its signature, its limits, its dead buttons.
import { botSignature } from '../../../simulator/feishu/chat/bot-hook';
import { post, startApp, type App } from './support/app';
import { button, callback, card, text } from './support/cards';

let app: App;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app.feishu.close();
});
beforeEach(() => app.feishu.reset());

const nowS = () => Math.floor(Date.now() / 1000);
const send = (content: unknown, timestamp = String(nowS()), secret?: string) =>
  post(app.feishu.botUrl, {
    timestamp,
    sign: botSignature(timestamp, secret ?? app.feishu.settings.botSecret ?? ''),
    msg_type: 'interactive',
    card: content,
  });

describe('a card by the group’s bot of the simulator', () => {
  it('is shown when it is signed; a wrong signature or an old one gets 19021', async () => {
    expect(botSignature('1757900000', 'lark-test-secret')).toBe(
      'rWW3ygiAdSmKEIysYTVjbdbv4Xnqjn35pAGLgGJZsNg=',
    );
    expect((await send(card(text('一')))).code).toBe(0);
    expect(app.feishu.cards()).toMatchObject([{ by: 'bot', card: card(text('一')) }]);
    const wrong = await send(card(text('一')), undefined, 'another');
    const old = await send(card(text('一')), String(nowS() - 3_700));
    expect([wrong.status, wrong.code, old.code]).toEqual([200, 19021, 19021]);
  });

  it('that is not a card, or beyond 20 KB, gets 9499 with HTTP 200', async () => {
    expect(await send({ elements: [] })).toMatchObject({ status: 200, code: 9499 });
    expect((await send(card(text('x'.repeat(21_000))))).code).toBe(9499);
    expect((await post(`${app.feishu.url}/open-apis/bot/v2/hook/none`, {})).code).toBe(19001);
  });

  it('beyond 5 a second or 100 a minute gets 11232', async () => {
    const codes: number[] = [];
    for (let at = 0; at < 6; at++) codes.push((await send(card(text('一')))).code);
    expect(codes).toEqual([0, 0, 0, 0, 0, 11232]);
    for (let second = 0; second < 19; second++) {
      app.feishu.advanceClock(1_000);
      for (let at = 0; at < 5; at++) await send(card(text('一')));
    }
    app.feishu.advanceClock(1_000);
    expect((await send(card(text('一')))).code).toBe(11232);
    expect(app.feishu.cards()).toHaveLength(100);
  });

  it('has dead buttons: a press reaches nobody', async () => {
    await send(card(button('同意', callback({ a: 1 }))));
    const messageId = app.feishu.cards()[0]?.messageId ?? '';
    const reply = await app.feishu.press(messageId, {}, app.feishu.people[0]?.openId ?? '');
    expect(reply).toMatchObject({ status: null, toast: { type: 'error' } });
    expect(app.feishu.deliveries()).toEqual([]);
  });
});
