// Cards for the tests of the chat.
/** A card 2.0 with these elements. */
export const card = (...elements: object[]) => ({
  schema: '2.0',
  config: { update_multi: true },
  header: { template: 'red', title: { tag: 'plain_text', content: '人工介入：金额不符' } },
  body: { elements },
});

export const text = (content: string) => ({ tag: 'markdown', content });

export const button = (content: string, more: object = {}) => ({
  tag: 'button',
  type: 'primary',
  text: { tag: 'plain_text', content },
  ...more,
});

export const callback = (value: object) => ({ behaviors: [{ type: 'callback', value }] });

/** A form with a note and one button that sends it. */
export const noteForm = (value: object) => ({
  tag: 'form',
  name: 'resolve',
  elements: [
    { tag: 'input', name: 'note', required: true, max_length: 1000 },
    button('按应付金额接受', { name: 'accept', form_action_type: 'submit', ...callback(value) }),
  ],
});
