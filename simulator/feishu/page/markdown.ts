// Shows the markdown of cards: bold, italics, links, colours, lists; all else is text.
import { escapeHtml, Html } from './html';

const COLORS: Readonly<Record<string, string>> = {
  red: '#f54a45',
  green: '#2ea121',
  grey: '#8f959e',
  orange: '#de7802',
  blue: '#245bdb',
};

/** Feishu shows character references as their letters: so callers escape what others wrote. */
function escapeText(text: string): string {
  return escapeHtml(text).replace(/&amp;(#\d{1,6}|#x[0-9a-f]{1,6}|lt|gt|amp|quot|nbsp);/gi, '&$1;');
}

const isLink = (url: string): boolean => /^https?:\/\//i.test(url);

/** The rules work on escaped text, so no rule can make markup of what a caller sent. */
function showInline(text: string): string {
  return escapeText(text)
    .replace(/&lt;at id=([\w-]+)&gt;&lt;\/at&gt;/g, '<span class="at">@$1</span>')
    .replace(
      /&lt;font color=(?:&#39;|&quot;)?(\w+)(?:&#39;|&quot;)?&gt;(.*?)&lt;\/font&gt;/g,
      (_all, color: string, inside: string) =>
        `<span style="color:${COLORS[color] ?? 'inherit'}">${inside}</span>`,
    )
    .replace(/\[([^\]]+)\]\(([^)\s]+)\)/g, (all, label: string, url: string) =>
      isLink(url) ? `<a href="${url}" target="_blank" rel="noopener">${label}</a>` : all,
    )
    .replace(/\*\*(.+?)\*\*/g, '<b>$1</b>')
    .replace(/`([^`]+)`/g, '<code>$1</code>');
}

/** The markdown of a card as HTML. */
export function showMarkdown(text: string): Html {
  const lines = text.split('\n').map((line) => {
    const item = /^\s*[-*] (.*)$/.exec(line);
    if (item !== null) return `<div class="item">${showInline(item[1] ?? '')}</div>`;
    return line.trim() === '---' ? '<hr>' : `<div>${showInline(line) || '&nbsp;'}</div>`;
  });
  return new Html(lines.join(''));
}
