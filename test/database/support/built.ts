// Gives tests the built modules that need Prisma.
import type * as retryControl from '../../../activities/retries/control';
import type * as retryDecider from '../../../activities/retries/decide-retry';
import type * as patrolActivities from '../../../activities/patrol/activities';
import type * as orderNumbers from '../../../database/orders/take-order-numbers';
import type * as refundHolds from '../../../database/refunds/hold-refund';
import type * as orderReading from '../../../database/views/read-orders';
import type * as patrolRoom from '../../../database/patrol/patrol';
import type * as databases from '../../../database/database';
import type * as prismaClient from '../../../generated/prisma/client';
import type * as prismaPg from '@prisma/adapter-pg';

declare global {
  var oncepayBuilt: ((path: string) => unknown) | undefined;
}

/**
 * Prisma loads its query compiler by a dynamic import, which the sandbox of Jest refuses. So Node
 * itself loads the modules that need Prisma, as they were built: see `with-built-code.cjs`.
 */
function built(path: string): unknown {
  if (!oncepayBuilt) throw new Error('The test needs the environment with-built-code.cjs');
  return oncepayBuilt(path);
}

export const { openDatabase } = built('dist/database/database.js') as typeof databases;
export const { createPatrolActivities } = built(
  'dist/activities/patrol/activities.js',
) as typeof patrolActivities;
export const { createRetryControl } = built(
  'dist/activities/retries/control.js',
) as typeof retryControl;
export const { createRetryDecider } = built(
  'dist/activities/retries/decide-retry.js',
) as typeof retryDecider;
export const { createOrderNumbers } = built(
  'dist/database/orders/take-order-numbers.js',
) as typeof orderNumbers;
export const { createOrderReading } = built(
  'dist/database/views/read-orders.js',
) as typeof orderReading;
export const { holdRefund } = built('dist/database/refunds/hold-refund.js') as typeof refundHolds;
export const { createPatrol } = built('dist/database/patrol/patrol.js') as typeof patrolRoom;
export const { PrismaClient } = built('dist/generated/prisma/client.js') as typeof prismaClient;
export const { PrismaPg } = built('node_modules/@prisma/adapter-pg') as typeof prismaPg;

/**
 * Options of a connection for Prisma, in UTC as Oncepay opens its own: the adapter sends times
 * without an offset, and the test run's database is in another zone.
 */
export const inUtc = (url: string) => ({ connectionString: url, options: '-c TimeZone=UTC' });
