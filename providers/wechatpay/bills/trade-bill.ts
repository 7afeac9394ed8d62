// The columns of a trade bill in all its layouts: ALL, SUCCESS, REFUND and the older ones.
import type { TradeLine, TradeSummary } from '../../../domain/reconciliation/bill-lines';
import type { BillLayout, Names } from './bill-layout';
import {
  readAmount,
  readCount,
  readFee,
  readTime,
  readWord,
  readYuan,
  UnreadableCell,
  type Columns,
  type Read,
} from './cells';

type SumColumn = Exclude<keyof TradeSummary, 'count'>;

const ORDER_AMOUNT = '订单金额';
/** The name of the order's amount in the layout that lacks {@link ORDER_AMOUNT}. */
const OLDER_ORDER_AMOUNT = '总金额';
const REFUND_ASKED = '申请退款金额';
const REFUND_AMOUNT = '退款金额';
const FEE = '手续费';
const TIME = '交易时间';
const STATE = '交易状态';
const CURRENCY = '货币种类';
const OUT_REFUND_NO = '商户退款单号';

/** The amounts that a summary adds up: the names of their columns in the lines. */
const AMOUNTS: Readonly<
  Record<SumColumn, { readonly names: Names; readonly read: typeof readFee }>
> = {
  settlementFen: { names: ['应结订单金额', OLDER_ORDER_AMOUNT], read: readAmount },
  refundFen: { names: [REFUND_AMOUNT], read: readAmount },
  couponRefundFen: {
    names: ['充值券退款金额', '代金券或立减优惠退款金额', '企业红包退款金额'],
    read: readAmount,
  },
  feeE5: { names: [FEE], read: readFee },
  orderFen: { names: [ORDER_AMOUNT], read: readAmount },
  refundAskedFen: { names: [REFUND_ASKED], read: readAmount },
};
const SUM_COLUMNS = Object.keys(AMOUNTS) as SumColumn[];

const KINDS: ReadonlyMap<string, TradeLine['kind']> = new Map([
  ['SUCCESS', 'payment'],
  ['REFUND', 'refund'],
  ['REVOKED', 'reversal'],
]);

/** The layouts of WeChat's trade bills. Older accounts still get the older ones. */
export const TRADE_BILL: BillLayout<TradeLine, TradeSummary> = {
  required: [
    [TIME],
    ['微信订单号'],
    ['商户订单号'],
    [STATE],
    [CURRENCY],
    [FEE],
    [ORDER_AMOUNT, OLDER_ORDER_AMOUNT],
  ],
  summary: {
    count: { names: ['总交易单数'], read: readCount },
    settlementFen: { names: ['应结订单总金额', '总交易额'], read: readYuan },
    refundFen: { names: ['退款总金额', '总退款金额'], read: readYuan },
    couponRefundFen: {
      names: ['充值券退款总金额', '总代金券或立减优惠退款金额', '总企业红包退款金额'],
      read: readYuan,
    },
    feeE5: { names: ['手续费总金额'], read: readFee },
    orderFen: { names: ['订单总金额'], read: readYuan },
    refundAskedFen: { names: ['申请退款总金额'], read: readYuan },
  },
  open: (columns) => {
    const sums = SUM_COLUMNS.filter((sum) => columns.has(AMOUNTS[sum].names));
    const amountsOf = amountReader(columns, sums);
    const lineOf = lineReader(columns, sums);
    return {
      sums,
      read: (cells, line) => {
        const amounts = amountsOf(cells);
        return { line: lineOf(cells, line, amounts), amounts };
      },
    };
  },
  summaryOf: (values) => {
    const count = values.get('count');
    if (count === undefined) return null;
    const of = (column: SumColumn): number | null => values.get(column) ?? null;
    return {
      count,
      settlementFen: of('settlementFen'),
      refundFen: of('refundFen'),
      couponRefundFen: of('couponRefundFen'),
      feeE5: of('feeE5'),
      orderFen: of('orderFen'),
      refundAskedFen: of('refundAskedFen'),
    };
  },
};

/** Reads the amounts of all columns that this layout has. */
function amountReader(columns: Columns, sums: readonly SumColumn[]): Read<readonly number[]> {
  const cellsToRead = sums.map((sum) => {
    const { names, read } = AMOUNTS[sum];
    return { read, text: columns.text(names), name: names[0] ?? '' };
  });
  return (cells) => cellsToRead.map(({ read, text, name }) => read(text(cells), name));
}

/**
 * Picks the amount by which a line is compared with our books, 0 without one. The settled amounts
 * are smaller by free coupons: they stand for it only in the layout that has no other.
 */
function comparedAmount(
  sums: readonly SumColumn[],
  ...wanted: readonly SumColumn[]
): (amounts: readonly number[]) => number {
  const [index = -1] = wanted.map((sum) => sums.indexOf(sum)).filter((at) => at !== -1);
  return (amounts) => amounts[index] ?? 0;
}

/** Reads a line. Openids, titles and attachments are not read at all. */
function lineReader(
  columns: Columns,
  sums: readonly SumColumn[],
): (cells: readonly string[], line: number, amounts: readonly number[]) => TradeLine {
  const word = (name: string): Read<string | null> => {
    const text = columns.text([name]);
    return (cells) => readWord(text(cells), name);
  };
  const tradedAt = columns.text([TIME]);
  const currency = word(CURRENCY);
  const appid = word('公众账号ID');
  const mchid = word('商户号');
  const transactionId = word('微信订单号');
  const outTradeNo = word('商户订单号');
  const refundId = word('微信退款单号');
  const outRefundNo = word(OUT_REFUND_NO);
  const tradeType = word('交易类型');
  const refundStatus = word('退款状态');
  const kindOf = kindReader(columns);
  const orderFen = comparedAmount(sums, 'orderFen', 'settlementFen');
  const refundFen = comparedAmount(sums, 'refundAskedFen', 'refundFen');
  const feeE5 = comparedAmount(sums, 'feeE5');
  return (cells, line, amounts) => ({
    kind: kindOf(cells),
    line,
    tradedAt: readTime(tradedAt(cells), TIME),
    appid: appid(cells),
    mchid: mchid(cells),
    transactionId: transactionId(cells),
    outTradeNo: outTradeNo(cells),
    refundId: unlessZero(refundId(cells)),
    outRefundNo: unlessZero(outRefundNo(cells)),
    tradeType: tradeType(cells),
    currency: filled(currency(cells), CURRENCY),
    orderFen: orderFen(amounts),
    refundFen: refundFen(amounts),
    refundStatus: refundStatus(cells),
    feeE5: feeE5(amounts),
  });
}

/** @returns a function that throws UnreadableCell */
function kindReader(columns: Columns): Read<TradeLine['kind']> {
  const state = columns.text([STATE]);
  const hasRefunds = columns.has([OUT_REFUND_NO]);
  return (cells) => {
    const kind = KINDS.get(state(cells));
    if (kind === undefined) throw new UnreadableCell(`${STATE} is none that Oncepay knows`);
    if (kind === 'refund' && !hasRefunds) {
      throw new UnreadableCell(`a refund in a bill without ${OUT_REFUND_NO}`);
    }
    return kind;
  };
}

/** WeChat writes `0` for a number that there is not. */
function unlessZero(word: string | null): string | null {
  return word === '0' ? null : word;
}

function filled(word: string | null, column: string): string {
  if (word === null) throw new UnreadableCell(`${column} is empty`);
  return word;
}
