// Writes amounts, fees, times and texts as they stand in bills.
import { beijingTime } from '../time/beijing-time';

/** WeChat's usual fee: 0.60 %. */
export const RATE_TEXT = '0.60%';
const FEE_E5_PER_FEN = 6;

const YUAN_DECIMALS = 2;
const FEE_DECIMALS = 5;

/** `1234` fen as `12.34`. */
export function yuanText(amountFen: number): string {
  return decimalText(amountFen, YUAN_DECIMALS);
}

/** 1/100,000 yuan with five decimals. */
export function feeText(feeE5: number): string {
  return decimalText(feeE5, FEE_DECIMALS);
}

/** The fee for an amount, in 1/100,000 yuan. */
export function feeOf(amountFen: number): number {
  return amountFen * FEE_E5_PER_FEN;
}

/** The fee as the account pays it: rounded to fen. */
export function feeFenOf(amountFen: number): number {
  return Math.round(feeOf(amountFen) / 10 ** (FEE_DECIMALS - YUAN_DECIMALS));
}

/** Reads back what {@link yuanText} and {@link feeText} write. */
export function valueOf(text: string): number {
  return Number(text.replace('.', ''));
}

/** `2026-11-28 10:15:30`, in Beijing time. */
export function timeText(atMs: number): string {
  return beijingTime(atMs).slice(0, 19).replace('T', ' ');
}

/** Text of a merchant: nothing is quoted in a bill, so commas and line breaks are replaced. */
export function plainText(text: string): string {
  return text.replaceAll(',', '\\ ').replaceAll(/\r?\n|\r/g, '\\n');
}

function decimalText(value: number, decimals: number): string {
  const digits = String(Math.abs(value)).padStart(decimals + 1, '0');
  return `${value < 0 ? '-' : ''}${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}
