// Calls that send a card to a group and change it, as the app or as the group's bot.
import { z } from 'zod';
import { signForBot } from '../crypto/signatures';
import type { FeishuOutcome } from './outcome';
import type { FeishuPerform } from './perform';

/** A card of Feishu's schema 2.0. */
export type Card = Readonly<Record<string, unknown>>;

export interface MessageCalls {
  /**
   * Sends a card as the app. A repeat with the same `uuid` within an hour sends nothing.
   * @returns the message's id
   */
  sendCard(message: {
    readonly chatId: string;
    readonly uuid: string;
    readonly card: Card;
  }): Promise<FeishuOutcome<string>>;
  /** Replaces a card that the app sent in the last 14 days. */
  updateCard(messageId: string, card: Card): Promise<FeishuOutcome<null>>;
  /**
   * Posts a card by a group's bot. Feishu drops no repeat here: after `unknown` a second send may
   * show the card twice.
   * @param hook.path of the bot's address
   */
  postByBot(
    hook: { readonly path: string; readonly secret: string | null },
    card: Card,
  ): Promise<FeishuOutcome<null>>;
}

const sentSchema = z.object({ data: z.object({ message_id: z.string() }) });

/** @param now ms since 1970 */
export function createMessageCalls(perform: FeishuPerform, now: () => number): MessageCalls {
  return {
    sendCard: ({ chatId, uuid, card }) =>
      perform.withToken({
        operation: 'message_send',
        method: 'POST',
        path: '/open-apis/im/v1/messages?receive_id_type=chat_id',
        body: {
          receive_id: chatId,
          msg_type: 'interactive',
          content: JSON.stringify(card),
          uuid,
        },
        read: (json) => {
          const seen = sentSchema.safeParse(json);
          return seen.success ? { value: seen.data.data.message_id } : null;
        },
      }),
    updateCard: (messageId, card) =>
      perform.withToken({
        operation: 'message_update',
        method: 'PATCH',
        path: `/open-apis/im/v1/messages/${encodeURIComponent(messageId)}`,
        body: { content: JSON.stringify(card) },
        read: () => ({ value: null }),
      }),
    postByBot: ({ path, secret }, card) => {
      const seconds = Math.floor(now() / 1000);
      const signed =
        secret === null ? {} : { timestamp: String(seconds), sign: signForBot(seconds, secret) };
      return perform.bare({
        operation: 'bot_hook',
        method: 'POST',
        path,
        body: { ...signed, msg_type: 'interactive', card },
        read: () => ({ value: null }),
      });
    },
  };
}
