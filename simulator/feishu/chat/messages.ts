// The group's chat: messages with cards, their updates, and repeats by uuid.
import { createHexId } from '../http/identifiers';
import type { Card } from './card-schema';

/** A message as the chat shows it. */
export interface MessageView {
  readonly messageId: string;
  readonly chatId: string;
  /** `bot`: the group's own bot, by its web hook. */
  readonly by: 'app' | 'bot';
  readonly sentAtMs: number;
  /** How many updates changed it. */
  readonly updates: number;
  /** As it is shown now. */
  readonly card: Card;
  /** Every content that it had, the oldest first. */
  readonly history: readonly Card[];
}

export interface Messages {
  send: (chatId: string, by: MessageView['by'], card: Card) => MessageView;
  find: (messageId: string) => MessageView | null;
  update: (messageId: string, card: Card) => void;
  /** The message that this uuid sent within the last hour. */
  findByUuid: (uuid: string) => MessageView | null;
  keepUuid: (uuid: string, messageId: string) => void;
  all: () => MessageView[];
  clear: () => void;
}

const UUID_MS = 60 * 60_000;
const HISTORY_LIMIT = 50;
const KEPT = 10_000;

function dropOldest(kept: Map<string, unknown>): void {
  const oldest = kept.keys().next().value;
  if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
}

export function createMessages(now: () => number): Messages {
  const messages = new Map<string, MessageView>();
  const uuids = new Map<string, { readonly messageId: string; readonly untilMs: number }>();
  const find = (messageId: string): MessageView | null => messages.get(messageId) ?? null;
  return {
    send: (chatId, by, card) => {
      const messageId = createHexId('om_');
      const sent = { messageId, chatId, by, sentAtMs: now(), updates: 0, card, history: [card] };
      messages.set(messageId, sent);
      dropOldest(messages);
      return sent;
    },
    find,
    update: (messageId, card) => {
      const message = find(messageId);
      if (message === null) return;
      const history = [...message.history, card].slice(-HISTORY_LIMIT);
      messages.set(messageId, { ...message, card, history, updates: message.updates + 1 });
    },
    findByUuid: (uuid) => {
      const kept = uuids.get(uuid);
      return kept !== undefined && kept.untilMs > now() ? find(kept.messageId) : null;
    },
    keepUuid: (uuid, messageId) => {
      uuids.set(uuid, { messageId, untilMs: now() + UUID_MS });
      dropOldest(uuids);
    },
    all: () => [...messages.values()],
    clear: () => {
      messages.clear();
      uuids.clear();
    },
  };
}
