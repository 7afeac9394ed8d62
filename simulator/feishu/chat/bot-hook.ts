// The web hook of the group's own bot: signed, small, without callbacks.
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Call } from '../http/endpoint';
import type { RateWindow } from '../http/rate-window';
import { refuse, type Reply } from '../http/reply';
import type { FeishuSettings } from '../options';
import { readCard } from './cards';
import type { Messages } from './messages';

const BODY_LIMIT_BYTES = 20 * 1024;
const CLOCK_MS = 60 * 60_000;
const LIMITS = [
  { calls: 5, windowMs: 1_000 },
  { calls: 100, windowMs: 60_000 },
];

const hookBody = z.object({
  timestamp: z.string().optional(),
  sign: z.string().optional(),
  msg_type: z.literal('interactive'),
  card: z.unknown(),
});

/** Base64 of the HMAC-SHA256 whose key is `<timestamp>\n<secret>`, over nothing. */
export function botSignature(timestamp: string, secret: string): string {
  return createHmac('sha256', `${timestamp}\n${secret}`).update('').digest('base64');
}

export interface BotHookDeps {
  readonly settings: FeishuSettings;
  readonly messages: Messages;
  readonly rates: RateWindow;
  /** Feishu compares the timestamp of the signature with its own time. */
  readonly realNow: () => number;
}

function isSigned({ settings, realNow }: BotHookDeps, timestamp = '', sign = ''): boolean {
  if (settings.botSecret === null) return true;
  const ageMs = Math.abs(realNow() - Number(timestamp) * 1000);
  return ageMs <= CLOCK_MS && sign === botSignature(timestamp, settings.botSecret);
}

/**
 * `POST /open-apis/bot/v2/hook/<id>`: failures come with HTTP 200 and a code. A card with callback
 * buttons is taken, as Feishu takes it, but its buttons are dead: a press reaches nobody.
 */
export function botHook(deps: BotHookDeps, call: Call): Reply {
  const { settings, messages, rates } = deps;
  if (call.params['hook'] !== settings.botId) {
    return refuse(19001, { detail: 'incoming webhook access token invalid' });
  }
  if (call.bytes > BODY_LIMIT_BYTES) return refuse(9499, { status: 200 });
  const parsed = hookBody.safeParse(call.body);
  if (!parsed.success) return refuse(9499, { status: 200 });
  const { timestamp, sign, card } = parsed.data;
  if (!isSigned(deps, timestamp, sign)) return refuse(19021);
  if (rates.count('bot', LIMITS) > 0) return refuse(11232);
  const read = readCard(card);
  if (read.kind === 'refused') {
    return refuse(9499, { status: 200, detail: `ext=ErrCode: 200621; ErrMsg: ${read.reason};` });
  }
  messages.send(settings.chatId, 'bot', read.card);
  const body = { StatusCode: 0, StatusMessage: 'success', code: 0, data: {}, msg: 'success' };
  return { status: 200, code: 0, body };
}
