// Makes and parses order numbers, with check digits.
// Sandbox: deterministic only.
import { CHANNELS, CHANNEL_NAMES, type Channel } from './channels';

/**
 * An order number is WeChat's `out_trade_no` and the id of the order's workflow. 22 characters:
 * 8 date (Asia/Shanghai) + 2 channel + 4 sequence + 6 user hash + 2 check digits.
 */
export type OrderNumber = string & { readonly __unit: 'order-number' };

export const SEQUENCE_DIGITS = 4;
/** Numbers of one day and channel before the sequence starts again: 36⁴. */
export const SEQUENCE_SIZE = 36 ** SEQUENCE_DIGITS;
const USER_HASH_DIGITS = 6;
const USER_HASH_SIZE = 36n ** BigInt(USER_HASH_DIGITS);
const SHAPE = /^(\d{8})(\d{2})([0-9A-Z]{4})([0-9A-Z]{6})(\d{2})$/;
/** Asia/Shanghai has had no daylight saving time since 1991. */
const SHANGHAI_OFFSET_MS = 8 * 60 * 60_000;

const ZERO = 48;
const UPPER_A = 65;

/**
 * ISO 7064 MOD 97-10 over letters as 10 … 35, as in an IBAN (ISO 13616).
 * @returns the remainder, 0 … 96
 */
function mod97(text: string): number {
  let remainder = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    const isDigit = code < UPPER_A;
    remainder = isDigit
      ? (remainder * 10 + code - ZERO) % 97
      : (remainder * 100 + code - UPPER_A + 10) % 97;
  }
  return remainder;
}

/**
 * The two check digits for the first 20 characters: `98 − (body · 100 mod 97)`. They detect every
 * digit typed for another digit, every letter typed for another letter, and every swap of
 * neighbours but `1B`, `2M` and `3X`. A letter typed for a digit, or a digit for a letter, shifts
 * all characters before it, because a letter counts as two digits: about 1 in 97 of these errors is
 * not detected.
 */
export function checkDigits(body: string): string {
  return String(98 - mod97(`${body}00`)).padStart(2, '0');
}

/** The day in Shanghai as `yyyymmdd`; `nowMs` is Unix time in ms. */
export function shanghaiDay(nowMs: number): string {
  return new Date(nowMs + SHANGHAI_OFFSET_MS).toISOString().slice(0, 10).replaceAll('-', '');
}

/**
 * Six upper-case base-36 digits from a keyed hash of the user id (HMAC-SHA-256 in production).
 * Without the key nobody can compute the user id from the digits, or test a guess.
 */
export function userHashDigits(keyedHash: Uint8Array): string {
  let value = 0n;
  for (const byte of keyedHash.subarray(0, 8)) value = value * 256n + BigInt(byte);
  return (value % USER_HASH_SIZE).toString(36).toUpperCase().padStart(USER_HASH_DIGITS, '0');
}

/**
 * Builds an order number.
 * @param parts.day `yyyymmdd` in Shanghai, see {@link shanghaiDay}
 * @param parts.sequence any integer ≥ 0; it wraps at {@link SEQUENCE_SIZE}
 * @param parts.userHash six base-36 digits, see {@link userHashDigits}
 */
export function makeOrderNumber(parts: {
  day: string;
  channel: Channel;
  sequence: number;
  userHash: string;
}): OrderNumber {
  const sequence = (parts.sequence % SEQUENCE_SIZE)
    .toString(36)
    .toUpperCase()
    .padStart(SEQUENCE_DIGITS, '0');
  const body = `${parts.day}${CHANNELS[parts.channel].digits}${sequence}${parts.userHash}`;
  return `${body}${checkDigits(body)}` as OrderNumber;
}

export type ParsedOrderNumber =
  | {
      readonly kind: 'valid';
      readonly number: OrderNumber;
      readonly day: string;
      readonly channel: Channel;
      readonly sequence: number;
      readonly userHash: string;
    }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'wrong_check_digits' };

/**
 * Parses an order number, or says why the text is none. Callers do this before any look-up.
 */
export function parseOrderNumber(text: string): ParsedOrderNumber {
  const match = SHAPE.exec(text);
  if (!match) return { kind: 'malformed' };
  const [, day = '', channelDigits = '', sequence = '', userHash = '', check = ''] = match;
  if (checkDigits(text.slice(0, 20)) !== check) return { kind: 'wrong_check_digits' };
  const channel = CHANNEL_NAMES.find((name) => CHANNELS[name].digits === channelDigits);
  if (!channel || !isDay(day)) return { kind: 'malformed' };
  const number = text as OrderNumber;
  return {
    kind: 'valid',
    number,
    day,
    channel,
    sequence: Number.parseInt(sequence, 36),
    userHash,
  };
}

function isDay(day: string): boolean {
  const iso = `${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}`;
  const time = Date.parse(`${iso}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(iso);
}
