// Schema of the query of the patrol's runs.
import { z } from 'zod';
import { pageQuery } from '../http/page';

/** `GET /v1/patrol/runs`. */
export const patrolRunQuery = z.strictObject(pageQuery);
