// Lists all scenarios in the order in which they are played.
import type { Scenario } from '../world';
import { callbackScenarios } from './callbacks';
import { channelScenarios } from './channels';
import { paymentScenarios } from './payments';
import { orderScenarios } from './orders';
import { outageScenarios } from './outages';
import { patrolScenarios } from './patrol';
import { interventionScenarios } from './interventions';
import { reconciliationScenarios } from './reconciliation';
import { refundScenarios } from './refunds';
import { sharingScenarios } from './sharing';
import { webhookScenarios } from './webhooks';

/**
 * The outages come late, because they would disturb the others. The reconciliation comes last: it
 * compares the trades of all.
 */
export const allScenarios: readonly Scenario[] = [
  ...channelScenarios,
  ...webhookScenarios,
  ...callbackScenarios,
  ...paymentScenarios,
  ...refundScenarios,
  ...sharingScenarios,
  ...interventionScenarios,
  ...orderScenarios,
  ...patrolScenarios,
  ...outageScenarios,
  ...reconciliationScenarios,
];
