// Reads single cells of a bill: amounts by their digits, times, numbers, and columns by name.
import { MAX_FEN } from '../../../domain/money';

/** A cell or a whole line that can't be read; the message says which, and never quotes it. */
export class UnreadableCell extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'UnreadableCell';
  }
}

const YUAN = /^-?\d{1,12}\.\d\d$/;
const FEE = /^-?\d{1,9}(\.\d{1,5})?$/;
const COUNT = /^\d{1,12}$/;
const TIME = /^(\d{4}-\d\d-\d\d) ((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)$/;

const YUAN_DECIMALS = 2;
const FEE_DECIMALS = 5;

/** As long as the longest number that a merchant or WeChat gives, with a margin. */
const MAX_WORD_LENGTH = 128;

/** The value of one cell of a line. */
export type Read<T> = (cells: readonly string[]) => T;

/** Reads a cell by its column's name, under any of the names that it has had. */
export interface Columns {
  readonly count: number;
  readonly has: (names: readonly string[]) => boolean;
  /** The text of the cell; empty in a layout without the column. */
  readonly text: (names: readonly string[]) => Read<string>;
}

/**
 * Looks columns up in a header by name, never by position: layouts differ.
 * @returns null where a name stands there twice: then no lookup is certain.
 */
export function readHeader(text: string): Columns | null {
  const header = splitNames(text);
  if (new Set(header).size < header.length) return null;
  const find = (names: readonly string[]): number =>
    header.findIndex((name) => names.includes(name));
  return {
    count: header.length,
    has: (names) => find(names) !== -1,
    text: (names) => {
      const index = find(names);
      return (cells) => cells[index] ?? '';
    },
  };
}

/** The names in a header, which has backticks in some files and none in others. */
export function splitNames(text: string): string[] {
  return text.split(',').map((name) => name.replace(/^`/, '').trim());
}

/** The cells of a line: nothing is quoted, and each begins with a backtick. Null for others. */
export function splitCells(line: string): string[] | null {
  return line.startsWith('`') ? line.slice(1).split(',`') : null;
}

/**
 * Yuan with two decimals, as fen.
 * @throws UnreadableCell for another shape.
 */
export function readYuan(text: string, column: string): number {
  if (!YUAN.test(text)) throw new UnreadableCell(`${column} is no amount`);
  return digitsOf(text, YUAN_DECIMALS);
}

/**
 * Like {@link readYuan}, for the amount of one line.
 * @throws UnreadableCell also for more than any payment can have.
 */
export function readAmount(text: string, column: string): number {
  const amountFen = readYuan(text, column);
  if (Math.abs(amountFen) > MAX_FEN) {
    throw new UnreadableCell(`${column} is more than one payment can have`);
  }
  return amountFen;
}

/**
 * A fee in yuan, with up to five decimals, as 1/100,000 yuan.
 * @throws UnreadableCell for another shape.
 */
export function readFee(text: string, column: string): number {
  if (!FEE.test(text)) throw new UnreadableCell(`${column} is no amount`);
  return digitsOf(text, FEE_DECIMALS);
}

/** @throws UnreadableCell for another shape. */
export function readCount(text: string, column: string): number {
  if (!COUNT.test(text)) throw new UnreadableCell(`${column} is no count`);
  return Number(text);
}

/**
 * `2026-11-28 10:15:30`, Beijing time, as ISO 8601 with `+08:00`.
 * @throws UnreadableCell for another shape, and for a day that no month has.
 */
export function readTime(text: string, column: string): string {
  const [, day, time] = TIME.exec(text) ?? [];
  if (day === undefined || time === undefined || !isDay(day)) {
    throw new UnreadableCell(`${column} is no time`);
  }
  return `${day}T${time}+08:00`;
}

/**
 * A number or a name that a row stores; null where the cell is empty.
 * @throws UnreadableCell when it is too long, or holds what no database column can.
 */
export function readWord(text: string, column: string): string | null {
  if (text === '') return null;
  if (text.length > MAX_WORD_LENGTH) throw new UnreadableCell(`${column} is too long`);
  if (text.includes('\0')) throw new UnreadableCell(`${column} holds a NUL`);
  return text;
}

/** All digits as one integer, with zeros for missing decimals: no fraction is ever computed. */
function digitsOf(text: string, decimals: number): number {
  const point = text.indexOf('.');
  const whole = point === -1 ? text : text.slice(0, point);
  const rest = point === -1 ? '' : text.slice(point + 1);
  const value = Number(whole + rest.padEnd(decimals, '0'));
  return value === 0 ? 0 : value;
}

/** False for the 30th of February: JavaScript takes it for a day in March. */
function isDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).getUTCDate() === Number(day.slice(-2));
}
