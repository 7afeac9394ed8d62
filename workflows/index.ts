// Sandbox: what the bundle offers.
export { orderWorkflow } from './order-workflow';
export { refundWorkflow } from './refund-workflow';
export { profitSharingWorkflow } from './profit-sharing-workflow';
export { patrolWorkflow } from './patrol-workflow';
