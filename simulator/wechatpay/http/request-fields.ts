// Schemas of single fields in requests, with WeChat's own limits.
import { z } from 'zod';
import { paramError, type Reply } from './reply';

/** 6–32 characters of these. */
export const outTradeNo = z.string().regex(/^[0-9A-Za-z_\-|*]{6,32}$/);

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Text of at most `limit` characters, counted as code points. */
export const text = (limit: number) =>
  z
    .string()
    .min(1)
    .refine((value) => Array.from(value).length <= limit, `at most ${limit} characters`);

function isNotifyUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  if (url.search !== '' || url.hash !== '' || value.includes('?')) return false;
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname));
}

export const notifyUrl = z
  .string()
  .max(255)
  .refine(isNotifyUrl, 'https (http on loopback only) without a query string');

/** The first problem that a schema found, as WeChat's PARAM_ERROR that names the field. */
export function paramErrorOf(error: z.ZodError): Reply {
  const [issue] = error.issues;
  if (issue === undefined) return paramError('参数错误', { issue: 'invalid', location: 'body' });
  const path =
    issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  const field = `/${path.map(String).join('/')}`;
  return paramError(`输入源“${field}”不符合规则：${issue.message}`, {
    field,
    issue: issue.message,
    location: 'body',
  });
}
