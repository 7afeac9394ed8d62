// Finds numbers in a JSON text that JavaScript would change: a double keeps some 15 digits.

/**
 * Finds the first number whose value a double changes, in one pass over the text: beyond 2^53, with
 * more digits than a double keeps, or `1e999`. `0.1` is fine, because a double gives it back as it
 * was written.
 * @param text valid JSON
 * @returns the path of the number, like `metadata.a[0].b` (empty for the root); null when none
 */
export function findChangedNumber(text: string): string | null {
  const path: (string | number)[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    switch (char) {
      case '{':
        path.push('');
        at += 1;
        break;
      case '[':
        path.push(0);
        at += 1;
        break;
      case '}':
      case ']':
        path.pop();
        at += 1;
        break;
      case ',': {
        const last = path.at(-1);
        if (typeof last === 'number') path[path.length - 1] = last + 1;
        at += 1;
        break;
      }
      case '"': {
        const end = endOfString(text, at);
        // A string in front of a colon is the name of a field.
        if (isName(text, end)) path[path.length - 1] = String(JSON.parse(text.slice(at, end)));
        at = end;
        break;
      }
      default: {
        if (!isNumberStart(char)) {
          at += 1;
          break;
        }
        const end = endOfNumber(text, at);
        if (isChanged(text.slice(at, end))) return formatPath(path);
        at = end;
      }
    }
  }
  return null;
}

/** The place behind the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charAt(at) !== '"') at += text.charAt(at) === '\\' ? 2 : 1;
  return at + 1;
}

function isName(text: string, end: number): boolean {
  let at = end;
  while (/\s/.test(text.charAt(at))) at += 1;
  return text.charAt(at) === ':';
}

const isNumberStart = (char: string): boolean => char === '-' || (char >= '0' && char <= '9');

function endOfNumber(text: string, start: number): number {
  let at = start;
  while (at < text.length && '+-.eE0123456789'.includes(text.charAt(at))) at += 1;
  return at;
}

/** True when the double nearest to a decimal number is another number in its shortest form. */
function isChanged(literal: string): boolean {
  const value = Number(literal);
  return !Number.isFinite(value) || normalForm(literal) !== normalForm(String(value));
}

/** `-12.50e3` as `-125e2`: sign, digits without zeros at either end, and the power of ten. */
function normalForm(literal: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(literal) ?? [];
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const exponent = Number(power) - fraction.length + (digits.length - significant.length);
  return `${sign}${significant}e${exponent}`;
}

function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}
