// Tests which typing errors the check digits detect.
import { CHANNEL_NAMES } from '../../../domain/orders/channels';
import {
  checkDigits,
  makeOrderNumber,
  parseOrderNumber,
  SEQUENCE_SIZE,
  shanghaiDay,
} from '../../../domain/orders/order-number';
import { userHashOf } from '../support/orders';

/**
 * The typing errors that the two check digits find: one character taken for another, two
 * neighbours swapped. MOD 97-10 over letters as two digits finds all of the first kind within
 * digits and within letters; the test counts the errors that it can't find, on numbers that are
 * the same in every run.
 */
const DIGITS = Array.from('0123456789');
const LETTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ');
const ALL = [...DIGITS, ...LETTERS];
const BODY_LENGTH = 20;
/** The sequence and the user's digits: where a letter may stand. */
const FIRST_MIXED = 10;

const NUMBERS = Array.from({ length: 2_000 }, (_, i) => {
  const channel = CHANNEL_NAMES[i % CHANNEL_NAMES.length];
  if (!channel) throw new Error('no such channel');
  return makeOrderNumber({
    day: shanghaiDay(Date.parse('2026-01-01T00:00:00Z') + i * 86_400_000),
    channel,
    sequence: (i * 7_919) % SEQUENCE_SIZE,
    userHash: userHashOf(`user-${i}`),
  });
});

function replaced(text: string, at: number, by: string): string {
  return text.slice(0, at) + by + text.slice(at + by.length);
}

function isLetter(character: string): boolean {
  return LETTERS.includes(character);
}

/** The number with each character in turn taken for each other one of its kind. */
function* substitutions(number: string): Generator<string> {
  for (const [at, was] of Array.from(number).entries()) {
    for (const by of isLetter(was) ? LETTERS : DIGITS) {
      if (by !== was) yield replaced(number, at, by);
    }
  }
}

/** Every number with two different neighbours swapped. */
function* swaps(number: string): Generator<{ pair: string; changed: string }> {
  for (let at = 0; at + 1 < number.length; at += 1) {
    const pair = number.slice(at, at + 2);
    const swapped = `${pair.slice(1)}${pair.slice(0, 1)}`;
    if (swapped !== pair) yield { pair, changed: replaced(number, at, swapped) };
  }
}

const isFound = (text: string): boolean => parseOrderNumber(text).kind !== 'valid';

/** By the check digits alone, whatever stands in the other fields. */
function sameCheck(body: string, changed: string): boolean {
  return checkDigits(body) === checkDigits(changed);
}

describe('one wrong character', () => {
  test('a digit typed for a digit, or a letter for a letter, is always detected', () => {
    const missed = NUMBERS.slice(0, 500).flatMap((number) =>
      [...substitutions(number)].filter((changed) => !isFound(changed)),
    );
    expect(missed).toEqual([]);
  });

  test.each([
    ['digits', DIGITS],
    ['letters', LETTERS],
  ])('one wrong character is detected at every place for every two %s', (_kind, characters) => {
    // The other characters don't matter here: nothing is shifted, so one body stands for all.
    const body = NUMBERS[0]?.slice(0, BODY_LENGTH) ?? '';
    const missed: string[] = [];
    for (let at = 0; at < BODY_LENGTH; at += 1) {
      for (const [i, a] of characters.entries()) {
        for (const b of characters.slice(i + 1)) {
          if (sameCheck(replaced(body, at, a), replaced(body, at, b)))
            missed.push(`${at}:${a}${b}`);
        }
      }
    }
    expect(missed).toEqual([]);
  });

  test('a digit typed for a letter or back is missed in 770 of 72,976 cases, about 1 in 97', () => {
    let cases = 0;
    let missed = 0;
    for (const number of NUMBERS.slice(0, 500)) {
      for (let at = FIRST_MIXED; at < BODY_LENGTH; at += 1) {
        for (const by of isLetter(number.charAt(at)) ? DIGITS : LETTERS) {
          cases += 1;
          if (!isFound(replaced(number, at, by))) missed += 1;
        }
      }
    }
    expect({ cases, missed }).toEqual({ cases: 72_976, missed: 770 });
  });

  test.each([
    ['0', 'O', { cases: 1127, missed: 14 }],
    ['1', 'I', { cases: 1102, missed: 4 }],
    ['2', 'Z', { cases: 1100, missed: 13 }],
    ['5', 'S', { cases: 1103, missed: 13 }],
    ['8', 'B', { cases: 1145, missed: 10 }],
  ])('typing %s for %s or back is missed this often: %j', (digit, letter, expected) => {
    let cases = 0;
    let missed = 0;
    for (const number of NUMBERS) {
      for (let at = FIRST_MIXED; at < BODY_LENGTH; at += 1) {
        const was = number.charAt(at);
        if (was !== digit && was !== letter) continue;
        cases += 1;
        if (!isFound(replaced(number, at, was === digit ? letter : digit))) missed += 1;
      }
    }
    expect({ cases, missed }).toEqual(expected);
  });

  test('a letter among the digits of day, channel or check is always detected', () => {
    const places = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21];
    const missed = NUMBERS.slice(0, 100).flatMap((number) =>
      places.flatMap((at) => LETTERS.filter((by) => !isFound(replaced(number, at, by)))),
    );
    expect(missed).toEqual([]);
  });

  test('a missing or an additional character is always detected', () => {
    for (const number of NUMBERS.slice(0, 100)) {
      for (let at = 0; at < number.length; at += 1) {
        expect(isFound(number.slice(0, at) + number.slice(at + 1))).toBe(true);
        expect(isFound(`${number.slice(0, at)}0${number.slice(at)}`)).toBe(true);
      }
    }
  });
});

describe('two neighbours swapped', () => {
  test('two swapped neighbours are detected at every place but for three pairs: 1B, 2M, 3X', () => {
    // A swap shifts nothing that stands before it: one body stands for all.
    const body = NUMBERS[0]?.slice(0, BODY_LENGTH) ?? '';
    for (let at = FIRST_MIXED; at + 1 < BODY_LENGTH; at += 1) {
      const missed: string[] = [];
      for (const [i, a] of ALL.entries()) {
        for (const b of ALL.slice(i + 1)) {
          const bodies = [replaced(body, at, `${a}${b}`), replaced(body, at, `${b}${a}`)] as const;
          if (sameCheck(...bodies)) missed.push(`${a}${b}`);
        }
      }
      expect({ at, missed }).toEqual({ at, missed: ['1B', '2M', '3X'] });
    }
  });

  test('swapped neighbours are missed in 86 of 40,201 cases, always these pairs', () => {
    let cases = 0;
    const missed: string[] = [];
    for (const number of NUMBERS) {
      for (const { pair, changed } of swaps(number)) {
        cases += 1;
        if (!isFound(changed)) missed.push(Array.from(pair).toSorted().join(''));
      }
    }
    expect([...new Set(missed)].toSorted()).toEqual(['1B', '2M', '3X']);
    expect({ cases, missed: missed.length }).toEqual({ cases: 40_201, missed: 86 });
  });
});
