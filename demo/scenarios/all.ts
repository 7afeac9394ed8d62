// Lists all scenarios in the order in which they are played.
import type { Scenario } from '../world';
import { callbackScenarios } from './callbacks';
import { channelScenarios } from './channels';
import { paymentScenarios } from './payments';
import { orderScenarios } from './orders';
import { outageScenarios } from './outages';
import { patrolScenarios } from './patrol';
import { interventionScenarios } from './interventions';
import { refundScenarios } from './refunds';
import { sharingScenarios } from './sharing';
import { webhookScenarios } from './webhooks';

/** The outages come last, because they would disturb the others. */
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
];
