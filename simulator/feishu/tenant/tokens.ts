// Gives out tenant access tokens and checks the token of each call.
import { timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { createHexId } from '../http/identifiers';
import { refuse, type Reply } from '../http/reply';
import type { FeishuSettings } from '../options';

const LIFE_MS = 2 * 60 * 60_000;
/** With so much left of a token, Feishu gives the same again. */
const SAME_TOKEN_MS = 30 * 60_000;

const requestBody = z.object({ app_id: z.string().min(1), app_secret: z.string().min(1) });

export interface Tokens {
  /** The reply to a request for a token. */
  request: (body: unknown) => Reply;
  /** Null when the header carries a token that lives. */
  check: (authorization: string | undefined) => Reply | null;
  /** Refuses all tokens given so far with this code. */
  expire: (code: number) => void;
  clear: () => void;
}

interface Token {
  readonly value: string;
  readonly endsMs: number;
  refusedWith: number | null;
}

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

export function createTokens(settings: FeishuSettings, now: () => number): Tokens {
  const given = new Map<string, Token>();
  let newest: Token | null = null;
  const isAlive = (token: Token): boolean => token.refusedWith === null && token.endsMs > now();
  const current = (): Token => {
    if (newest && isAlive(newest) && newest.endsMs - now() >= SAME_TOKEN_MS) return newest;
    newest = { value: createHexId('t-g1', 36), endsMs: now() + LIFE_MS, refusedWith: null };
    given.set(newest.value, newest);
    return newest;
  };
  return {
    request: (body) => {
      const parsed = requestBody.safeParse(body);
      if (!parsed.success) return refuse(10003);
      const { app_id: appId, app_secret: appSecret } = parsed.data;
      if (appId !== settings.appId) return refuse(10003);
      if (!isSame(appSecret, settings.appSecret)) return refuse(10014);
      const { value, endsMs } = current();
      const expire = Math.floor((endsMs - now()) / 1000);
      const fields = { code: 0, msg: 'ok', tenant_access_token: value, expire };
      return { status: 200, code: 0, body: fields };
    },
    check: (authorization) => {
      if (authorization === undefined || authorization === '') return refuse(99991661);
      const value = /^Bearer (\S+)$/.exec(authorization)?.[1];
      if (value === undefined || !/^[tu]-/.test(value)) return refuse(99991671);
      const token = given.get(value);
      if (token === undefined) return refuse(99991663);
      if (token.refusedWith !== null) return refuse(token.refusedWith);
      return token.endsMs > now() ? null : refuse(99991663);
    },
    expire: (code) => {
      for (const token of given.values()) token.refusedWith ??= code;
    },
    clear: () => {
      given.clear();
      newest = null;
    },
  };
}
