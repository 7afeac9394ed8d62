// Schemas of the replies for settings.
import { z } from 'zod';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { time } from '../http/reply-fields';

/** A setting, with the source of its value. */
export const settingReply = z.object({
  name: z.enum(RUNTIME_SETTING_NAMES),
  value: z.string(),
  source: z.enum(['environment', 'override', 'default']),
  version: z.int(),
  updated_by: z.string().nullable(),
  updated_at: time.nullable(),
});

/** All settings that can be changed at runtime. */
export const settingListReply = z.object({ data: z.array(settingReply) });
