// Bounds of a JSON body, held in one pass over its text before it is parsed.
import { isChangedNumber } from './json-numbers';

/** The root is level 1; the deepest body has four levels, metadata may have some more. */
const MAX_LEVELS = 16;
/** Every object, array and leaf is a value; 1,000 codes and 200 items need less. */
const MAX_VALUES = 2_000;
const MAX_METADATA_VALUES = 200;
const MAX_METADATA_BYTES = 16 * 1024;
/** The longest lists of the API, by the name of their field in the root. */
const MAX_ENTRIES: Readonly<Record<string, number>> = { items: 200, codes: 1_000 };
/** A path that a caller sent comes back to it at most this long. */
const MAX_PATH_CHARACTERS = 200;

/** The first bound that a body breaks. */
export interface Violation {
  /** Like `metadata.a[0].b`; empty for the root. */
  readonly path: string;
  readonly message: string;
}

/** An object or array that is open at the place of the scan. */
interface Level {
  readonly isArray: boolean;
  /** The name of the current entry of an object, in the text with its quotes. */
  nameStart: number;
  nameEnd: number;
  /** The index of the current entry of an array. */
  index: number;
}

/** The name `metadata` in quotes, with each letter as an escape like `\u006d`. */
const LONGEST_METADATA = 50;
const OF_NUMBER = /[-+.eE0-9]*/y;
const OF_WORD = /[a-z]*/y;
const SPACE = /[ \t\r\n:]*/y;
const COLON_NEXT = /[ \t\r\n]*:/y;
const QUOTE = 34;
const BACKSLASH = 92;

/**
 * Finds the first bound that a text breaks: levels, values, entries of a list, size of `metadata`,
 * or a number that a double changes. It takes time linear in the text, ends at the first violation,
 * and builds no value.
 * @param text a JSON body; of an invalid one, the result is about the part that was understood
 */
export function findViolation(text: string): Violation | null {
  return new Scan(text).run();
}

class Scan {
  private readonly levels: Level[] = [];
  private readonly text: string;
  private at = 0;
  private values = 0;
  /** Where the value of `metadata` starts, and how many values came before; null outside. */
  private metadata: { readonly start: number; readonly values: number } | null = null;

  constructor(text: string) {
    this.text = text;
  }

  run(): Violation | null {
    while (this.at < this.text.length) {
      const violation = this.step();
      if (violation) return violation;
    }
    return null;
  }

  /** Reads one token. */
  private step(): Violation | null {
    const { text, at } = this;
    const char = text.charAt(at);
    switch (char) {
      case '{':
      case '[':
        return this.open(char === '[');
      case '}':
      case ']': {
        const violation = this.endMetadata();
        if (this.levels.pop()) this.at += 1;
        else this.stop();
        return violation;
      }
      case ',':
        return this.next();
      case '"': {
        const end = endOfString(text, at);
        this.at = end;
        if (!isName(text, end)) return this.add();
        this.name(at, end);
        return null;
      }
      default:
        return this.leaf(char);
    }
  }

  private open(isArray: boolean): Violation | null {
    const violation = this.add();
    if (violation) return violation;
    if (this.levels.length === MAX_LEVELS) {
      return this.violation(`must have at most ${MAX_LEVELS} levels`);
    }
    this.levels.push({ isArray, nameStart: 0, nameEnd: 0, index: 0 });
    this.at += 1;
    return null;
  }

  /** Goes to the next entry. */
  private next(): Violation | null {
    const violation = this.endMetadata();
    const level = this.levels.at(-1);
    if (level?.isArray === true) level.index += 1;
    this.at += 1;
    return violation;
  }

  private name(start: number, end: number): void {
    const level = this.levels.at(-1);
    if (level) Object.assign(level, { nameStart: start, nameEnd: end });
    const canBeMetadata = this.levels.length === 1 && end - start <= LONGEST_METADATA;
    if (canBeMetadata && this.nameOf(level) === 'metadata') {
      this.metadata = { start: this.text.indexOf(':', end) + 1, values: this.values + 1 };
    }
  }

  /** A number, `true`, `false` or `null`; anything else is left to the parser. */
  private leaf(char: string): Violation | null {
    const start = this.at;
    if (char === '-' || (char >= '0' && char <= '9')) {
      this.skip(OF_NUMBER);
      if (isChangedNumber(this.text.slice(start, this.at))) {
        return this.violation('must be a number that a double keeps; send it as text');
      }
      return this.add();
    }
    if (char >= 'a' && char <= 'z') {
      this.skip(OF_WORD);
      return this.add();
    }
    this.skip(SPACE);
    if (this.at === start) this.stop();
    return null;
  }

  /** The text is no JSON from here on: the parser refuses it. */
  private stop(): void {
    this.at = this.text.length;
  }

  private skip(token: RegExp): void {
    token.lastIndex = this.at;
    token.test(this.text);
    this.at = token.lastIndex;
  }

  /** Counts a value. */
  private add(): Violation | null {
    this.values += 1;
    if (this.values > MAX_VALUES) {
      return { path: '', message: `must have at most ${MAX_VALUES} values` };
    }
    if (this.metadata && this.values - this.metadata.values > MAX_METADATA_VALUES) {
      return { path: 'metadata', message: `must have at most ${MAX_METADATA_VALUES} values` };
    }
    const [root, list] = this.levels;
    if (this.levels.length !== 2 || list?.isArray !== true) return null;
    const name = this.nameOf(root);
    const most = Object.hasOwn(MAX_ENTRIES, name) ? MAX_ENTRIES[name] : undefined;
    if (most === undefined || list.index < most) return null;
    return { path: name, message: `must have at most ${most} entries` };
  }

  /** Called at the end of each entry: in the root it ends `metadata` too. */
  private endMetadata(): Violation | null {
    if (!this.metadata || this.levels.length !== 1) return null;
    const sent = this.text.slice(this.metadata.start, this.at).trim();
    this.metadata = null;
    return Buffer.byteLength(sent) <= MAX_METADATA_BYTES
      ? null
      : { path: 'metadata', message: `must have at most ${MAX_METADATA_BYTES} bytes` };
  }

  private violation(message: string): Violation {
    const path = this.levels.reduce<string>((before, level) => {
      if (level.isArray) return `${before}[${level.index}]`;
      const name = this.nameOf(level);
      return before === '' ? name : `${before}.${name}`;
    }, '');
    return { path: path.slice(0, MAX_PATH_CHARACTERS), message };
  }

  private nameOf(level: Level | undefined): string {
    if (!level || level.isArray) return '';
    try {
      return String(JSON.parse(this.text.slice(level.nameStart, level.nameEnd)));
    } catch {
      // The parser refuses the body afterwards.
      return '';
    }
  }
}

/** The place behind the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
  }
  return at;
}

/** A string in front of a colon is the name of an entry. */
function isName(text: string, end: number): boolean {
  COLON_NEXT.lastIndex = end;
  return COLON_NEXT.test(text);
}
