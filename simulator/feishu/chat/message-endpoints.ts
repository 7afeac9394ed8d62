// The app's calls about messages: send a card to the chat, update it for 14 days.
import { z } from 'zod';
import type { Call } from '../http/endpoint';
import type { RateWindow } from '../http/rate-window';
import { refuse, succeed, type Reply } from '../http/reply';
import type { FeishuSettings } from '../options';
import { readCard, type ReadCard } from './cards';
import type { MessageView, Messages } from './messages';

const CARD_LIMIT_BYTES = 30 * 1024;
const UPDATE_MS = 14 * 24 * 60 * 60_000;
const IN_A_CHAT = [{ calls: 5, windowMs: 1_000 }];

const sendBody = z.object({
  receive_id: z.string().min(1),
  msg_type: z.literal('interactive'),
  content: z.string(),
  uuid: z.string().max(50).optional(),
});
const updateBody = z.object({ content: z.string() });

export interface MessageEndpointsDeps {
  readonly settings: FeishuSettings;
  readonly messages: Messages;
  readonly rates: RateWindow;
  readonly now: () => number;
}

/** A card in its JSON text, or the refusal of Feishu. */
function parseContent(content: string): Extract<ReadCard, { kind: 'card' }> | Reply {
  if (Buffer.byteLength(content) > CARD_LIMIT_BYTES) return refuse(230025);
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    return refuse(230001, { detail: 'content is not a string in json format' });
  }
  const read = readCard(json);
  if (read.kind === 'card') return read;
  return refuse(230099, { detail: `ext=ErrCode: 200621; ErrMsg: ${read.reason};` });
}

function viewOf(message: MessageView, settings: FeishuSettings): Record<string, unknown> {
  const time = String(message.sentAtMs);
  return {
    message_id: message.messageId,
    msg_type: 'interactive',
    create_time: time,
    update_time: time,
    deleted: false,
    updated: message.updates > 0,
    chat_id: message.chatId,
    sender: {
      id: settings.appId,
      id_type: 'app_id',
      sender_type: 'app',
      tenant_key: settings.tenantKey,
    },
    body: { content: JSON.stringify(message.card) },
  };
}

function send(deps: MessageEndpointsDeps, call: Call): Reply {
  const { settings, messages } = deps;
  if (call.query['receive_id_type'] !== 'chat_id') {
    return refuse(99992402, { detail: 'receive_id_type is required' });
  }
  const parsed = sendBody.safeParse(call.body);
  if (!parsed.success) return refuse(230001, { detail: z.prettifyError(parsed.error) });
  const { receive_id: chatId, content, uuid } = parsed.data;
  if (chatId !== settings.chatId) return refuse(230002);
  const first = uuid === undefined ? null : messages.findByUuid(uuid);
  if (first !== null) return succeed(viewOf(first, settings));
  const read = parseContent(content);
  if ('status' in read) return read;
  if (deps.rates.count(`chat ${chatId}`, IN_A_CHAT) > 0) return refuse(230020);
  const sent = messages.send(chatId, 'app', read.card);
  if (uuid !== undefined) messages.keepUuid(uuid, sent.messageId);
  return succeed(viewOf(sent, settings));
}

function update(deps: MessageEndpointsDeps, call: Call): Reply {
  const { messages, rates, now } = deps;
  const parsed = updateBody.safeParse(call.body);
  if (!parsed.success) return refuse(230001);
  const message = messages.find(call.params['message'] ?? '');
  if (message?.by !== 'app') return refuse(230001, { detail: 'invalid message_id' });
  if (message.sentAtMs + UPDATE_MS < now()) return refuse(230031);
  const read = parseContent(parsed.data.content);
  if ('status' in read) return read;
  if (rates.count(`message ${message.messageId}`, IN_A_CHAT) > 0) return refuse(230020);
  messages.update(message.messageId, read.card);
  return succeed();
}

export interface MessageEndpoints {
  send: (call: Call) => Reply;
  update: (call: Call) => Reply;
}

export function createMessageEndpoints(deps: MessageEndpointsDeps): MessageEndpoints {
  return {
    send: (call) => send(deps, call),
    update: (call) => update(deps, call),
  };
}
