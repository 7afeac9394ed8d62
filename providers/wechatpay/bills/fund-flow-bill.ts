// The columns of a fund-flow bill: each movement of the account with the balance after it.
import type { FundLine, FundSummary } from '../../../domain/reconciliation/bill-lines';
import type { BillLayout } from './bill-layout';
import {
  readAmount,
  readCount,
  readTime,
  readWord,
  readYuan,
  UnreadableCell,
  type Columns,
} from './cells';

const TIME = '记账时间';
const TYPE = '业务类型';
const DIRECTION = '收支类型';
const AMOUNT = ['收支金额(元)', '收支金额（元）'] as const;
const BALANCE = ['账户结余(元)', '账户结余（元）'] as const;
const VOUCHER = '业务凭证号';

const DIRECTIONS: ReadonlyMap<string, FundLine['direction']> = new Map([
  ['收入', 'in'],
  ['支出', 'out'],
]);

/** The layout of WeChat's fund-flow bills. */
export const FUND_FLOW_BILL: BillLayout<FundLine, FundSummary> = {
  required: [[TIME], [TYPE], [DIRECTION], AMOUNT, BALANCE, [VOUCHER]],
  summary: {
    count: { names: ['资金流水总笔数'], read: readCount },
    inCount: { names: ['收入笔数'], read: readCount },
    inFen: { names: ['收入金额'], read: readYuan },
    outCount: { names: ['支出笔数'], read: readCount },
    outFen: { names: ['支出金额'], read: readYuan },
  },
  open: (columns) => {
    const movementOf = movementReader(columns);
    return {
      sums: ['inCount', 'inFen', 'outCount', 'outFen'],
      read: (cells, at) => {
        const line = movementOf(cells, at);
        const { direction, amountFen } = line;
        return { line, amounts: direction === 'in' ? [1, amountFen, 0, 0] : [0, 0, 1, amountFen] };
      },
    };
  },
  summaryOf: (values) => {
    const count = values.get('count');
    const inCount = values.get('inCount');
    const inFen = values.get('inFen');
    const outCount = values.get('outCount');
    const outFen = values.get('outFen');
    if (count === undefined || inCount === undefined || inFen === undefined) return null;
    if (outCount === undefined || outFen === undefined) return null;
    return { count, inCount, inFen, outCount, outFen };
  },
};

function movementReader(columns: Columns): (cells: readonly string[], line: number) => FundLine {
  const time = columns.text([TIME]);
  const type = columns.text([TYPE]);
  const directionText = columns.text([DIRECTION]);
  const amount = columns.text(AMOUNT);
  const balance = columns.text(BALANCE);
  const voucher = columns.text([VOUCHER]);
  return (cells, line) => {
    const direction = DIRECTIONS.get(directionText(cells));
    if (direction === undefined)
      throw new UnreadableCell(`${DIRECTION} is none that Oncepay knows`);
    return {
      kind: 'fund',
      line,
      bookedAt: readTime(time(cells), TIME),
      businessType: readWord(type(cells), TYPE) ?? '',
      direction,
      amountFen: readAmount(amount(cells), AMOUNT[0]),
      balanceFen: readYuan(balance(cells), BALANCE[0]),
      voucher: readWord(voucher(cells), VOUCHER),
    };
  };
}
