// Tests making and parsing order numbers.
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { CHANNEL_NAMES, CHANNELS } from '../../../domain/orders/channels';
import {
  checkDigits,
  makeOrderNumber,
  parseOrderNumber,
  SEQUENCE_SIZE,
  shanghaiDay,
  userHashDigits,
} from '../../../domain/orders/order-number';
import { orderParts } from '../support/orders';

const OUT_TRADE_NO = /^[0-9A-Za-z_\-|*]{6,32}$/;

describe('an order number', () => {
  test('an order number is made of day, channel, sequence, user hash and check digits', () => {
    const number = makeOrderNumber({
      day: '20261123',
      channel: 'miniprogram',
      sequence: 35 * 36 + 11,
      userHash: 'A1B2C3',
    });
    expect(number.slice(0, 20)).toBe('202611230100ZBA1B2C3');
    expect(number).toBe(`202611230100ZBA1B2C3${checkDigits('202611230100ZBA1B2C3')}`);
  });

  test('an order number has 22 upper-case characters that WeChat accepts', () => {
    fc.assert(
      fc.property(orderParts, (parts) => {
        const number = makeOrderNumber(parts);
        expect(number).toMatch(/^[0-9A-Z]{22}$/);
        expect(number).toMatch(OUT_TRADE_NO);
      }),
    );
  });

  test('an order number that was made is parsed into its parts', () => {
    fc.assert(
      fc.property(orderParts, (parts) => {
        const number = makeOrderNumber(parts);
        expect(parseOrderNumber(number)).toEqual({ kind: 'valid', number, ...parts });
      }),
    );
  });

  test.each(CHANNEL_NAMES)(
    'an order number of the channel %s is recognised by its two digits',
    (channel) => {
      const parts = { day: '20261123', channel, sequence: 7, userHash: '000000' };
      const number = makeOrderNumber(parts);
      expect(number.slice(8, 10)).toBe(CHANNELS[channel].digits);
      expect(parseOrderNumber(number)).toMatchObject({ kind: 'valid', channel });
    },
  );

  test.each([
    ['nothing', '', 'malformed'],
    ['a lower-case number', withCheck('202611230100ZBA1B2C3').toLowerCase(), 'malformed'],
    ['the same in upper case', withCheck('202611230100ZBA1B2C3'), 'valid'],
    ['21 characters', '202611230100ZBA1B2C32', 'malformed'],
    ['white space around it', ` ${withCheck('202611230100ZBA1B2C3')}`, 'malformed'],
    ['a line break after it', withCheck('202611230100ZBA1B2C3') + '\n', 'malformed'],
    [
      'full-width digits',
      `２０２６１１２３${withCheck('202611230100ZBA1B2C3').slice(8)}`,
      'malformed',
    ],
    ['a day that does not exist', withCheck('202602300100ZBA1B2C3'), 'malformed'],
    ['a 13th month', withCheck('202613010100ZBA1B2C3'), 'malformed'],
    ['a channel that does not exist', withCheck('202611230600ZBA1B2C3'), 'malformed'],
    ['a leap day of a leap year', withCheck('202802290100ZBA1B2C3'), 'valid'],
    ['a leap day of another year', withCheck('202702290100ZBA1B2C3'), 'malformed'],
    ['check digits of another number', '202611230100ZBA1B2C300', 'wrong_check_digits'],
  ])('parsing the text %s gives the expected kind', (_what, text, expected) => {
    expect(parseOrderNumber(text).kind).toBe(expected);
  });

  test('parsing any text as an order number never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect(['valid', 'malformed', 'wrong_check_digits']).toContain(parseOrderNumber(text).kind);
      }),
    );
  });
});

function withCheck(body: string): string {
  return `${body}${checkDigits(body)}`;
}

describe('the check digits', () => {
  // ISO 13616: an IBAN's check digits are those of its account part followed by its country.
  test.each([
    ['WEST12345698765432GB', '82'],
    ['370400440532013000DE', '89'],
    ['20041010050500013M02606FR', '14'],
    ['539007547034BE', '68'],
    ['00762011623852957CH', '93'],
  ])('the check digits of the worked example %s are %s', (body, expected) => {
    expect(checkDigits(body)).toBe(expected);
  });

  test.each([
    // 3214282912345698765432161182 is the standard's own: WEST12345698765432GB82 in digits alone.
    ['3214282912345698765432161100', '82', '3214282912345698765432161182'],
    ['00', '98', '98'],
  ])(
    'an order number with its check digits leaves 1 when divided by 97: %s',
    (bodyWith00, check, whole) => {
      expect(checkDigits(bodyWith00.slice(0, -2))).toBe(check);
      expect(BigInt(whole) % 97n).toBe(1n);
    },
  );

  test('the check digits equal those of the definition in big integers', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9A-Z]{20}$/), (body) => {
        const digits = body.replace(/[A-Z]/g, (letter) => String(Number.parseInt(letter, 36)));
        const expected = 98n - (BigInt(`${digits}00`) % 97n);
        expect(checkDigits(body)).toBe(String(expected).padStart(2, '0'));
      }),
    );
  });
});

describe('the day of a number', () => {
  test.each([
    ['2026-11-22T15:59:59.999Z', '20261122'],
    ['2026-11-22T16:00:00.000Z', '20261123'],
    ['2026-11-23T15:59:59.999Z', '20261123'],
    ['2026-12-31T15:59:59.999Z', '20261231'],
    ['2026-12-31T16:00:00.000Z', '20270101'],
    ['2028-02-28T16:00:00.000Z', '20280229'],
    ['2028-02-29T16:00:00.000Z', '20280301'],
  ])('the instant %s is the day %s in Shanghai', (at, expected) => {
    expect(shanghaiDay(Date.parse(at))).toBe(expected);
  });

  test('the day of any instant equals that of the time zone database', () => {
    const format = new Intl.DateTimeFormat('en-CA', {
      timeZone: 'Asia/Shanghai',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
    });
    const from = Date.parse('2000-01-01T00:00:00Z');
    const to = Date.parse('2099-12-31T00:00:00Z');
    fc.assert(
      fc.property(fc.integer({ min: from, max: to }), (nowMs) => {
        expect(shanghaiDay(nowMs)).toBe(format.format(nowMs).replaceAll('-', ''));
      }),
    );
  });
});

describe("the user's six digits", () => {
  test.each([
    ['0000000000000000', '000000'],
    ['0000000000000001', '000001'],
    ['0000000081bf0fff', 'ZZZZZZ'],
    ['0000000081bf1000', '000000'],
    // Only the first eight bytes count.
    ['0000000000000024ffffffff', '000010'],
  ])('the keyed hash %s gives the user digits %s', (hex, expected) => {
    expect(userHashDigits(Buffer.from(hex, 'hex'))).toBe(expected);
  });

  test('the digits of a user are the same under one key and differ under another', () => {
    const digits = (key: string) =>
      Array.from({ length: 100 }, (_, user) =>
        userHashDigits(createHmac('sha256', key).update(`user-${user}`).digest()),
      );
    expect(digits('one')).toEqual(digits('one'));
    const other = digits('another');
    expect(digits('one').filter((value, i) => value === other[i])).toEqual([]);
  });
});

describe('the sequence', () => {
  const at = (sequence: number, userHash = '00000Z') =>
    makeOrderNumber({ day: '20261123', channel: 'h5', sequence, userHash });

  test.each([
    [0, '0000'],
    [35, '000Z'],
    [36, '0010'],
    [SEQUENCE_SIZE - 1, 'ZZZZ'],
    [SEQUENCE_SIZE, '0000'],
    [SEQUENCE_SIZE + 37, '0011'],
    [2_147_483_647, 'K0ZJ'],
  ])('the sequence number %d is written as %s', (sequence, expected) => {
    expect(at(sequence).slice(10, 14)).toBe(expected);
  });

  test('a sequence that starts again after 36⁴ repeats a number only for the same user', () => {
    expect(SEQUENCE_SIZE).toBe(1_679_616);
    expect(at(SEQUENCE_SIZE + 5)).toBe(at(5));
    expect(at(SEQUENCE_SIZE + 5, '00000Y')).not.toBe(at(5));
  });
});
