// The lines of WeChat's bills as their reader gives them and the comparison takes them.
// Sandbox: deterministic only.

/** A line of a trade bill: a payment, a refund, or a barcode payment that was taken back. */
export interface TradeLine {
  readonly kind: 'payment' | 'refund' | 'reversal';
  /** Its place in the file; the header is line 1. */
  readonly line: number;
  /** 交易时间, ISO 8601 with `+08:00`. */
  readonly tradedAt: string;
  readonly appid: string | null;
  readonly mchid: string | null;
  readonly transactionId: string | null;
  readonly outTradeNo: string | null;
  readonly refundId: string | null;
  readonly outRefundNo: string | null;
  readonly tradeType: string | null;
  /** 货币种类: only CNY is compared. */
  readonly currency: string;
  /** A payment's 订单金额 (older layout: 总金额) in fen; 0 on a refund's line of newer layouts. */
  readonly orderFen: number;
  /** A refund's 申请退款金额 in fen; where the layout lacks it, 退款金额. 0 on a payment's line. */
  readonly refundFen: number;
  /** 退款状态 as it was when the bill was made: SUCCESS, PROCESSING, FAIL or CHANGE. */
  readonly refundStatus: string | null;
  /** 手续费 in 1/100,000 yuan; negative where a refund gives it back. */
  readonly feeE5: number;
}

/** A line that can't be read, and why; it is a difference of its own, never an amount of 0. */
export interface UnreadableLine {
  readonly kind: 'unreadable';
  readonly line: number;
  readonly why: string;
}

/** A line of a fund-flow bill. */
export interface FundLine {
  readonly kind: 'fund';
  readonly line: number;
  readonly bookedAt: string;
  readonly businessType: string;
  readonly direction: 'in' | 'out';
  readonly amountFen: number;
  readonly balanceFen: number;
  /** 业务凭证号: our number, where it has one. */
  readonly voucher: string | null;
}

/** The summary of a trade bill: null where the layout lacks the column. Money in fen. */
export interface TradeSummary {
  readonly count: number;
  readonly settlementFen: number | null;
  readonly refundFen: number | null;
  readonly couponRefundFen: number | null;
  readonly feeE5: number | null;
  readonly orderFen: number | null;
  readonly refundAskedFen: number | null;
}

/** The summary of a fund-flow bill. Money in fen. */
export interface FundSummary {
  readonly count: number;
  readonly inCount: number;
  readonly inFen: number;
  readonly outCount: number;
  readonly outFen: number;
}

/** A column of a summary that its lines contradict. Units as the column's name says. */
export interface SummaryDifference<Column extends string> {
  readonly column: Column;
  /** Null: the summary is missing, or its value can't be read. */
  readonly summary: number | null;
  /** The sum over the lines. */
  readonly lines: number;
}
