// Shows the chat with its cards, as Feishu's messenger does.
import type { Button, Card, Element, Input } from '../chat/card-schema';
import { callbackOf, linkOf } from '../chat/cards';
import type { MessageView } from '../chat/messages';
import { APP_NAME } from '../options';
import { html, type Html } from './html';
import { showMarkdown } from './markdown';
import { showTime } from './render-tables';

/** The page shows the newest messages only. */
const SHOWN_MESSAGES = 50;

function showButton(button: Button): Html {
  const { text, type = 'default', disabled, confirm, name } = button;
  const link = linkOf(button);
  const style = `button button-${type}`;
  const value = callbackOf(button);
  if (value === null && link !== null && /^https?:/i.test(link)) {
    return html`<a class="${style}" href="${link}" target="_blank" rel="noopener"
      >${text.content}</a
    >`;
  }
  const ask = confirm === undefined ? '' : JSON.stringify([confirm.title, confirm.text]);
  const off = disabled === true || value === null ? html`disabled` : null;
  return html`<button
    class="${style} press"
    data-value="${JSON.stringify(value)}"
    data-name="${name ?? ''}"
    data-confirm="${ask}"
    ${off}
  >
    ${text.content}
  </button>`;
}

function showInput({ name = '', label, placeholder, required, max_length: length }: Input): Html {
  const star = required === true ? html`<b class="star">*</b>` : null;
  const title = label === undefined ? null : html`<span>${label.content}${star}</span>`;
  return html`<label class="input"
    >${title}<input
      name="${name}"
      maxlength="${length ?? 1000}"
      placeholder="${placeholder?.content ?? ''}"
      autocomplete="off"
  /></label>`;
}

function showElements(elements: readonly Element[]): Html {
  return html`${elements.map(showElement)}`;
}

function showElement(element: Element): Html {
  switch (element.tag) {
    case 'markdown':
      return html`<div class="markdown">${showMarkdown(element.content)}</div>`;
    case 'div':
      return html`<div class="markdown">${element.text.content}</div>`;
    case 'hr':
      return html`<hr />`;
    case 'button':
      return showButton(element);
    case 'input':
      return showInput(element);
    case 'form':
      return html`<div class="form">${showElements(element.elements)}</div>`;
    case 'column_set': {
      const columns = element.columns.map(
        ({ weight = 1, width, elements = [] }) =>
          html`<div style="flex:${width === 'auto' ? '0 0 auto' : String(weight)}">
            ${showElements(elements)}
          </div>`,
      );
      return html`<div class="columns">${columns}</div>`;
    }
  }
}

function showCard({ header, body }: Card): Html {
  const { template = 'default', title, subtitle, text_tag_list: tags = [] } = header ?? {};
  const head =
    title === undefined
      ? null
      : html`<header class="template-${template}">
          ${title.content}${tags.map(
            ({ text }) => html`<em>${text.content}</em>`,
          )}${subtitle === undefined ? null : html`<small>${subtitle.content}</small>`}
        </header>`;
  return html`<div class="card">
    ${head}
    <div class="body">${showElements(body.elements)}</div>
  </div>`;
}

function showMessage({ messageId, by, sentAtMs, updates, card }: MessageView): Html {
  const name = by === 'app' ? APP_NAME : `${APP_NAME} 群机器人`;
  const time = showTime(sentAtMs).slice(5, 16);
  const edited = updates === 0 ? null : html`<span class="edited">已更新 ${updates} 次</span>`;
  return html`<article class="message" data-message="${messageId}">
    <div class="avatar avatar-${by}">O</div>
    <div class="content">
      <p class="from">${name}<i>机器人</i><time>${time}</time>${edited}</p>
      ${showCard(card)}
    </div>
  </article>`;
}

/** The newest messages of the chat. */
export function renderChat(messages: readonly MessageView[]): Html {
  if (messages.length === 0) return html`<p class="empty">群里还没有消息</p>`;
  return html`${messages.slice(-SHOWN_MESSAGES).map(showMessage)}`;
}
