// The columns of WeChat's bills, in WeChat's order, with the sums below them.

/** The cells of a line by the names of their columns; a column that is left out is empty. */
export type Cells = Readonly<Record<string, string>>;

/** How a value of the summary is added up: over the lines `where` a column has this text. */
export type Sum =
  | { readonly kind: 'count'; readonly where?: Readonly<Record<string, string>> }
  | {
      readonly kind: 'yuan' | 'fee';
      readonly column: string;
      readonly where?: Readonly<Record<string, string>>;
    };

export interface BillForm {
  readonly columns: readonly string[];
  readonly summary: readonly (readonly [name: string, sum: Sum])[];
  /** The rows of a trade bill are in no order, the movements of the account in theirs. */
  readonly order: 'none' | 'as_booked';
  /** The names of these columns, where they differ from those of the present layout. */
  readonly rename?: (cells: Cells) => Cells;
}

const PAYMENT_COLUMNS =
  '交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,' +
  '付款银行,货币种类,应结订单金额,代金券金额';
const REFUND_COLUMNS = '微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态';
const TEXT_COLUMNS = '商品名称,商户数据包,手续费,费率';

const columns = (...parts: readonly string[]): string[] => parts.flatMap((part) => part.split(','));
const yuan = (column: string): Sum => ({ kind: 'yuan', column });

const COUNT: Sum = { kind: 'count' };
const FEE: Sum = { kind: 'fee', column: '手续费' };
const SUMMARY: BillForm['summary'] = [
  ['总交易单数', COUNT],
  ['应结订单总金额', yuan('应结订单金额')],
  ['退款总金额', yuan('退款金额')],
  ['充值券退款总金额', yuan('充值券退款金额')],
  ['手续费总金额', FEE],
  ['订单总金额', yuan('订单金额')],
  ['申请退款总金额', yuan('申请退款金额')],
];
const OF_PAYMENTS = new Set(['总交易单数', '应结订单总金额', '手续费总金额', '订单总金额']);

export const TRADE_BILL_TYPES = ['ALL', 'SUCCESS', 'REFUND'] as const;
export type TradeBillType = (typeof TRADE_BILL_TYPES)[number];

/** The layouts of the page on the format of trade bills of 2024-11-25. */
export const TRADE_FORMS: Readonly<Record<TradeBillType, BillForm>> = {
  ALL: {
    columns: columns(
      PAYMENT_COLUMNS,
      REFUND_COLUMNS,
      TEXT_COLUMNS,
      '订单金额,申请退款金额,费率备注',
    ),
    summary: SUMMARY,
    order: 'none',
  },
  SUCCESS: {
    columns: columns(PAYMENT_COLUMNS, TEXT_COLUMNS, '订单金额,费率备注'),
    summary: SUMMARY.filter(([name]) => OF_PAYMENTS.has(name)),
    order: 'none',
  },
  REFUND: {
    columns: columns(
      PAYMENT_COLUMNS,
      '退款申请时间,退款成功时间',
      REFUND_COLUMNS,
      TEXT_COLUMNS,
      '订单金额,申请退款金额,费率备注',
    ),
    summary: SUMMARY,
    order: 'none',
  },
};

const OLDER_NAMES: Readonly<Record<string, string>> = {
  特约商户号: '子商户号',
  应结订单金额: '总金额',
  代金券金额: '代金券或立减优惠金额',
  充值券退款金额: '代金券或立减优惠退款金额',
};

/** The older layout of 24 columns, which some accounts still get. */
export const OLDER_FORM: BillForm = {
  columns: columns(PAYMENT_COLUMNS, REFUND_COLUMNS, TEXT_COLUMNS).map(
    (name) => OLDER_NAMES[name] ?? name,
  ),
  summary: [
    ['总交易单数', COUNT],
    ['总交易额', yuan('总金额')],
    ['总退款金额', yuan('退款金额')],
    ['总代金券或立减优惠退款金额', yuan('代金券或立减优惠退款金额')],
    ['手续费总金额', FEE],
  ],
  order: 'none',
  rename: (cells) =>
    Object.fromEntries(
      Object.entries(cells).map(([name, text]) => [OLDER_NAMES[name] ?? name, text]),
    ),
};

const movement = (direction: string): Readonly<Record<string, string>> => ({ 收支类型: direction });
export const FUND_FLOW_FORM: BillForm = {
  columns: columns(
    '记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元)',
    '资金变更提交申请人,备注,业务凭证号',
  ),
  summary: [
    ['资金流水总笔数', COUNT],
    ['收入笔数', { kind: 'count', where: movement('收入') }],
    ['收入金额', { kind: 'yuan', column: '收支金额(元)', where: movement('收入') }],
    ['支出笔数', { kind: 'count', where: movement('支出') }],
    ['支出金额', { kind: 'yuan', column: '收支金额(元)', where: movement('支出') }],
  ],
  order: 'as_booked',
};
