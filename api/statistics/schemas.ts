// Schemas of the requests for statistics.
import { z } from 'zod';
import { STEP_NAMES } from '../../domain/statistics/steps';
import { timestamp } from '../http/fields';

/** `GET /v1/statistics`. */
export const statisticsQuery = z.strictObject({
  from: timestamp.describe('default: 24 hours before `to`').optional(),
  to: timestamp.describe('default: now').optional(),
  step: z.enum(STEP_NAMES).describe('default `1h`; days begin at midnight in Beijing').optional(),
});
