// Card JSON 2.0, strict: Feishu refuses properties and elements that it doesn't know.
import { z } from 'zod';

const plainText = z.strictObject({
  tag: z.literal('plain_text'),
  content: z.string(),
  i18n_content: z.record(z.string(), z.string()).optional(),
});
const anyText = z.union([
  plainText,
  z.strictObject({ tag: z.literal('lark_md'), content: z.string() }),
]);
const icon = z.strictObject({
  tag: z.enum(['standard_icon', 'custom_icon']),
  token: z.string().optional(),
  color: z.string().optional(),
  img_key: z.string().optional(),
});
/** Of every element: Feishu wants ids that begin with a letter, at most 20 characters. */
const common = {
  element_id: z
    .string()
    .regex(/^[A-Za-z]\w{0,19}$/)
    .optional(),
  margin: z.string().optional(),
};

const markdown = z.strictObject({
  tag: z.literal('markdown'),
  ...common,
  content: z.string(),
  text_align: z.enum(['left', 'center', 'right']).optional(),
  text_size: z.string().optional(),
  icon: icon.optional(),
});
const div = z.strictObject({
  tag: z.literal('div'),
  ...common,
  text: anyText,
  icon: icon.optional(),
});
const rule = z.strictObject({ tag: z.literal('hr'), ...common });

const behavior = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('open_url'),
    default_url: z.url(),
    pc_url: z.string().optional(),
    ios_url: z.string().optional(),
    android_url: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('callback'),
    value: z.union([z.record(z.string(), z.unknown()), z.string()]),
  }),
]);
const confirm = z.strictObject({ title: plainText, text: plainText });
const NAME = z.string().min(1).max(100);

const button = z.strictObject({
  tag: z.literal('button'),
  ...common,
  text: plainText,
  type: z
    .enum([
      'default',
      'primary',
      'danger',
      'text',
      'primary_text',
      'danger_text',
      'primary_filled',
      'danger_filled',
      'laser',
    ])
    .optional(),
  size: z.enum(['tiny', 'small', 'medium', 'large']).optional(),
  width: z.string().optional(),
  icon: icon.optional(),
  hover_tips: plainText.optional(),
  disabled: z.boolean().optional(),
  disabled_tips: plainText.optional(),
  confirm: confirm.optional(),
  behaviors: z.array(behavior).min(1).optional(),
  name: NAME.optional(),
  required: z.boolean().optional(),
  form_action_type: z.enum(['submit', 'reset']).optional(),
});
const input = z.strictObject({
  tag: z.literal('input'),
  ...common,
  name: NAME.optional(),
  required: z.boolean().optional(),
  disabled: z.boolean().optional(),
  placeholder: plainText.optional(),
  default_value: z.string().optional(),
  width: z.string().optional(),
  max_length: z.int().min(1).max(1000).optional(),
  input_type: z.enum(['text', 'multiline_text', 'password']).optional(),
  rows: z.int().min(1).optional(),
  auto_resize: z.boolean().optional(),
  max_rows: z.int().min(1).optional(),
  label: plainText.optional(),
  label_position: z.enum(['top', 'left']).optional(),
  value: z.union([z.record(z.string(), z.unknown()), z.string()]).optional(),
  behaviors: z.array(behavior).optional(),
  confirm: confirm.optional(),
});

const simple = z.discriminatedUnion('tag', [markdown, div, rule, button, input]);
const layout = {
  direction: z.enum(['vertical', 'horizontal']).optional(),
  padding: z.string().optional(),
  horizontal_spacing: z.string().optional(),
  horizontal_align: z.enum(['left', 'center', 'right']).optional(),
  vertical_spacing: z.string().optional(),
  vertical_align: z.enum(['top', 'center', 'bottom']).optional(),
};
const column = z.strictObject({
  tag: z.literal('column'),
  ...common,
  ...layout,
  background_style: z.string().optional(),
  width: z.string().optional(),
  weight: z.int().min(1).max(5).optional(),
  elements: z.array(simple).optional(),
});
const columnSet = z.strictObject({
  tag: z.literal('column_set'),
  ...common,
  horizontal_spacing: z.string().optional(),
  horizontal_align: z.enum(['left', 'center', 'right']).optional(),
  flex_mode: z.enum(['none', 'stretch', 'flow', 'bisect', 'trisect']).optional(),
  background_style: z.string().optional(),
  columns: z.array(column).min(1),
});
const inForm = z.discriminatedUnion('tag', [...simple.options, columnSet]);
const form = z.strictObject({
  tag: z.literal('form'),
  ...common,
  ...layout,
  name: NAME,
  elements: z.array(inForm).min(1),
});
const element = z.discriminatedUnion('tag', [...inForm.options, form]);

export const TEMPLATES = [
  'blue',
  'wathet',
  'turquoise',
  'green',
  'yellow',
  'orange',
  'red',
  'carmine',
  'violet',
  'purple',
  'indigo',
  'grey',
  'default',
] as const;

const tag = z.strictObject({
  tag: z.literal('text_tag'),
  element_id: z.string().optional(),
  text: plainText,
  color: z.string().optional(),
});
const header = z.strictObject({
  title: anyText,
  subtitle: anyText.optional(),
  text_tag_list: z.array(tag).max(3).optional(),
  template: z.enum(TEMPLATES).optional(),
  icon: icon.optional(),
  padding: z.string().optional(),
});
const config = z.strictObject({
  update_multi: z.literal(true).optional(),
  enable_forward: z.boolean().optional(),
  width_mode: z.enum(['default', 'compact', 'fill']).optional(),
  streaming_mode: z.boolean().optional(),
  summary: z.strictObject({ content: z.string() }).optional(),
  locales: z.array(z.string()).optional(),
  use_custom_translation: z.boolean().optional(),
  enable_forward_interaction: z.boolean().optional(),
  style: z.record(z.string(), z.unknown()).optional(),
});

export const cardSchema = z.strictObject({
  schema: z.literal('2.0'),
  config: config.optional(),
  card_link: z.strictObject({ url: z.url() }).optional(),
  header: header.optional(),
  body: z.strictObject({ ...layout, elements: z.array(element).min(1) }),
});

export type Card = z.output<typeof cardSchema>;
export type Element = z.output<typeof element>;
export type Button = z.output<typeof button>;
export type Input = z.output<typeof input>;
