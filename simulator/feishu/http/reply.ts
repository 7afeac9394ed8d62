// The simulator's replies: a success, one of Feishu's errors, or a refusal of the control object.
import { errorOf } from './error-codes';

/** A reply of Feishu. */
export interface Reply {
  readonly status: number;
  /** 0 for success. */
  readonly code: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A success: `{code:0,msg,data}`. */
export function succeed(data: Readonly<Record<string, unknown>> = {}): Reply {
  return { status: 200, code: 0, body: { code: 0, msg: 'success', data } };
}

/**
 * One of Feishu's errors.
 * @param as.detail follows the code's message.
 */
export function refuse(
  code: number,
  as: { readonly status?: number | undefined; readonly detail?: string | undefined } = {},
): Reply {
  const { status, msg } = errorOf(code);
  const text = as.detail === undefined ? msg : `${msg} ${as.detail}`;
  return { status: as.status ?? status, code, body: { code, msg: text } };
}

/** @param resetSeconds the wait until the limit is reset; Feishu sends no Retry-After. */
export function refuseForRate(resetSeconds: number, status?: number): Reply {
  return {
    ...refuse(99991400, { status }),
    headers: { 'x-ogw-ratelimit-limit': '1', 'x-ogw-ratelimit-reset': String(resetSeconds) },
  };
}

/** An act at the control object that can't be done: the message says why. */
export class ControlRefusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ControlRefusal';
  }
}
