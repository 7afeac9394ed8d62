import { z } from 'zod';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { version } from '../http/fields';

export const settingBody = z.strictObject({
  value: z
    .string('must be a text')
    .max(1_000, 'is too long')
    .nullable()
    .describe('like `30s`, `30s,1m,2m`, `30%` or `ask`; null goes back to the environment'),
  version: version.optional().describe('when given, only this version is replaced'),
});
export const settingReply = z.object({
  name: z.enum(RUNTIME_SETTING_NAMES),
  value: z.string(),
  source: z.enum(['environment', 'override', 'default']),
  version: z.int(),
  updated_by: z.string().nullable(),
  updated_at: z.iso.datetime().nullable(),
});
export const settingListReply = z.object({ data: z.array(settingReply) });
