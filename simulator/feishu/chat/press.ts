// A person presses a button of a card: Feishu calls the app and shows its reply.
import { z } from 'zod';
import type { Events } from '../events/events';
import type { EventDelivery } from '../events/post-event';
import { createHexId } from '../http/identifiers';
import { ControlRefusal } from '../http/reply';
import type { FeishuSettings } from '../options';
import type { People } from '../tenant/people';
import type { Button } from './card-schema';
import { buttonsOf, callbackOf, inputsOf, readCard, type PlacedButton } from './cards';
import type { MessageView, Messages } from './messages';

/** The press of one button. */
export interface Press {
  /** The value of the button's callback; absent: the card has only one such button. */
  readonly value?: Record<string, unknown> | string | undefined;
  /** The button's name, where the value alone doesn't name it. */
  readonly name?: string | undefined;
  /** The inputs of the button's form, by name. */
  readonly formValue?: Readonly<Record<string, unknown>> | undefined;
}

export interface Toast {
  readonly type: string;
  readonly content: string;
}

export interface PressReply {
  /** Null: no reply in 3 s, no connection, or the button is dead. */
  readonly status: number | null;
  /** Parsed JSON, or the text. */
  readonly body: unknown;
  /** The short message that the person sees; Feishu makes its own where the app failed. */
  readonly toast: Toast | null;
}

export interface PressDeps {
  readonly settings: FeishuSettings;
  readonly messages: Messages;
  readonly people: People;
  readonly events: Events;
}

const FAILED: Toast = { type: 'error', content: '目标回调服务超时未响应' };
const WRONG: Toast = { type: 'error', content: '出错了，请稍后重试 code: 200672' };
const DEAD: Toast = { type: 'error', content: '该卡片的按钮不支持回传交互' };

const replySchema = z.strictObject({
  toast: z
    .strictObject({
      type: z.enum(['success', 'error', 'warning', 'info']).optional(),
      content: z.string().optional(),
      i18n: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  card: z.strictObject({ type: z.literal('raw'), data: z.unknown() }).optional(),
});

function findButton(message: MessageView, press: Press): PlacedButton {
  const wanted = press.value === undefined ? null : JSON.stringify(press.value);
  const fits = ({ name, ...button }: Button): boolean => {
    const value = callbackOf(button);
    if (value === null) return false;
    if (press.name !== undefined && press.name !== name) return false;
    return wanted === null || JSON.stringify(value) === wanted;
  };
  const found = buttonsOf(message.card).filter(({ button }) => fits(button));
  const [first] = found;
  if (first === undefined) throw new ControlRefusal('the card has no such button');
  if (found.length > 1) throw new ControlRefusal('the card has several such buttons');
  if (first.button.disabled === true) throw new ControlRefusal('the button is disabled');
  return first;
}

/** The form's inputs as Feishu sends them. @throws ControlRefusal for what Feishu's page refuses */
function formValueOf(
  message: MessageView,
  form: string,
  sent: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  return Object.fromEntries(
    inputsOf(message.card, form).map((input) => {
      const name = input.name ?? '';
      const value = sent[name] ?? input.default_value ?? '';
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      if (input.required === true && text === '') throw new ControlRefusal(`${name} is empty`);
      if (text.length > (input.max_length ?? 1000)) throw new ControlRefusal(`${name} is too long`);
      return [name, text];
    }),
  );
}

function actionOf(message: MessageView, placed: PlacedButton, press: Press): object {
  const { button, form } = placed;
  const name = button.name === undefined ? {} : { name: button.name };
  const action = {
    value: callbackOf(button) ?? {},
    tag: 'button',
    timezone: 'Asia/Shanghai',
    ...name,
  };
  if (form === null || button.form_action_type !== 'submit') return action;
  return { ...action, form_value: formValueOf(message, form, press.formValue ?? {}) };
}

function parseBody(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch {
    return text;
  }
}

/** Shows the app's reply: its toast, and its card in place of the old one. */
function take(deps: PressDeps, message: MessageView, delivery: EventDelivery): PressReply {
  const { status } = delivery;
  if (status === null) return { status, body: delivery.body, toast: FAILED };
  const body = parseBody(delivery.body);
  const parsed = replySchema.safeParse(body);
  if (status !== 200 || !parsed.success) return { status, body, toast: WRONG };
  const { toast, card } = parsed.data;
  if (card !== undefined) {
    const read = readCard(card.data);
    if (read.kind === 'refused') return { status, body, toast: WRONG };
    deps.messages.update(message.messageId, read.card);
  }
  if (toast === undefined) return { status, body, toast: null };
  const content = toast.i18n?.['zh_cn'] ?? toast.content ?? '';
  return { status, body, toast: { type: toast.type ?? 'info', content } };
}

/**
 * Sends `card.action.trigger` once and shows the reply.
 * @throws ControlRefusal for a message, button or person that isn't there, or a wrong input
 */
export function createPress(deps: PressDeps) {
  return async (messageId: string, press: Press, byOpenId: string): Promise<PressReply> => {
    const message = deps.messages.find(messageId);
    if (message === null) throw new ControlRefusal(`there is no message ${messageId}`);
    if (deps.people.find(byOpenId) === null) throw new ControlRefusal(`nobody is ${byOpenId}`);
    const placed = findButton(message, press);
    if (message.by === 'bot') return { status: null, body: null, toast: DEAD };
    const delivery = await deps.events.callBack('card.action.trigger', {
      operator: { tenant_key: deps.settings.tenantKey, ...deps.people.operatorId(byOpenId) },
      token: createHexId('c-', 40),
      action: actionOf(message, placed, press),
      host: 'im_message',
      context: { open_message_id: messageId, open_chat_id: message.chatId },
    });
    if (delivery === null) return { status: null, body: null, toast: DEAD };
    return take(deps, message, delivery);
  };
}
