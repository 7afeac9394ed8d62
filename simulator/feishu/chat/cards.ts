// Reads a card and finds its buttons and inputs.
import { z } from 'zod';
import { cardSchema, type Button, type Card, type Element, type Input } from './card-schema';

const ELEMENT_LIMIT = 200;

export type ReadCard =
  | { readonly kind: 'card'; readonly card: Card }
  | { readonly kind: 'refused'; readonly reason: string };

/** A button, with the form around it. */
export interface PlacedButton {
  readonly button: Button;
  readonly form: string | null;
}

type Placed = { readonly element: Element; readonly form: string | null };

function flatten(elements: readonly Element[], form: string | null): Placed[] {
  return elements.flatMap((element): Placed[] => {
    const self = { element, form };
    if (element.tag === 'form') return [self, ...flatten(element.elements, element.name)];
    if (element.tag !== 'column_set') return [self];
    const inside = element.columns.flatMap(({ elements: inner = [] }) => flatten(inner, form));
    return [self, ...inside];
  });
}

export function buttonsOf(card: Card): PlacedButton[] {
  return flatten(card.body.elements, null).flatMap(({ element, form }) =>
    element.tag === 'button' ? [{ button: element, form }] : [],
  );
}

export function inputsOf(card: Card, form: string): Input[] {
  return flatten(card.body.elements, null).flatMap(({ element, form: around }) =>
    element.tag === 'input' && around === form ? [element] : [],
  );
}

/** The value that a press of this button sends; null: it opens a link or does nothing. */
export function callbackOf(button: Button): Record<string, unknown> | string | null {
  const found = button.behaviors?.find((behavior) => behavior.type === 'callback');
  return found?.type === 'callback' ? found.value : null;
}

export function linkOf(button: Button): string | null {
  const found = button.behaviors?.find((behavior) => behavior.type === 'open_url');
  return found?.type === 'open_url' ? found.default_url : null;
}

const hasTwice = (names: readonly string[]): boolean => new Set(names).size < names.length;

/** The rules of Feishu that no schema says. */
function checkPlaces(card: Card): string | null {
  const placed = flatten(card.body.elements, null);
  if (placed.length > ELEMENT_LIMIT) return 'more than 200 elements';
  const ids = placed.flatMap(({ element }) => element.element_id ?? []);
  if (hasTwice(ids)) return 'element_id is not unique';
  const named = placed.flatMap(({ element, form }) => {
    if (element.tag !== 'button' && element.tag !== 'input') return [];
    return [{ name: element.name, form, element }];
  });
  if (named.some(({ name, form }) => form !== null && name === undefined)) {
    return 'an interactive element in a form has no name';
  }
  if (hasTwice(named.flatMap(({ name, form }) => (form === null ? [] : (name ?? []))))) {
    return 'name is not unique in the form';
  }
  const forms = placed.flatMap(({ element }) => (element.tag === 'form' ? element.name : []));
  const submits = (form: string): boolean =>
    named.some(
      ({ form: around, element }) =>
        around === form && element.tag === 'button' && element.form_action_type === 'submit',
    );
  return forms.every(submits) ? null : 'the form has no submit button';
}

/** @returns the card, or the reason with the place, as Feishu's `ErrMsg` has it */
export function readCard(content: unknown): ReadCard {
  const parsed = cardSchema.safeParse(content);
  if (!parsed.success) {
    return { kind: 'refused', reason: z.prettifyError(parsed.error).replaceAll('\n', ' ') };
  }
  const misplaced = checkPlaces(parsed.data);
  return misplaced === null
    ? { kind: 'card', card: parsed.data }
    : { kind: 'refused', reason: misplaced };
}
