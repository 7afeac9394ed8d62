// Schema of the request that overrides a setting.
import { z } from 'zod';
import { version } from '../http/fields';

/** `PUT /v1/settings/{name}`. */
export const settingBody = z.strictObject({
  value: z
    .string('must be a string or null')
    .max(1_000, 'must have at most 1000 characters')
    .nullable()
    .describe('like `30s`, `30s,1m,2m`, `30%` or `ask`; null removes the override'),
  version: version
    .optional()
    .describe('when sent, the change is refused unless this is the current version'),
});
