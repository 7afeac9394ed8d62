// The simulator's replies: a success, WeChat's error body, or a refusal of the control API.
/** A reply of the simulator: WeChat's error body or a success. */
export interface Reply {
  readonly status: number;
  /** Null: no body (204). */
  readonly body: unknown;
  /** Sent instead of the body, and unsigned, as WeChat sends the files of bills. */
  readonly file?: SentFile | undefined;
}

export interface SentFile {
  readonly bytes: Buffer;
  /** Its media type. */
  readonly type: string;
  /** True: the connection breaks within the file. */
  readonly isCut?: boolean | undefined;
}

export interface ErrorDetail {
  readonly field?: string | undefined;
  readonly value?: unknown;
  readonly issue: string;
  readonly location: 'body' | 'uri' | 'query' | 'header' | 'authorization';
}

/** WeChat's error body `{code, message, detail}`. */
export function refuse(status: number, code: string, message: string, detail?: ErrorDetail): Reply {
  return { status, body: { code, message, ...(detail === undefined ? {} : { detail }) } };
}

export function paramError(message: string, detail: ErrorDetail): Reply {
  return refuse(400, 'PARAM_ERROR', message, detail);
}

/** A request to the control API that can't be carried out; the code says why. */
export class ControlRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ControlRefusal';
    this.status = status;
    this.code = code;
  }
}
