// The workflows in the bundle. The exported names are Temporal's workflow types: never rename one.
// Sandbox: deterministic only.
export { orderWorkflow } from './order-workflow';
export { refundWorkflow } from './refund-workflow';
export { profitSharingWorkflow } from './profit-sharing-workflow';
export { patrolWorkflow } from './patrol-workflow';
export { reconciliationStarter, reconciliationWorkflow } from './reconciliation-workflow';
