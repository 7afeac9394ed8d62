// Sandbox: what the bundle offers.
export { orderWorkflow } from './order-workflow';
export { patrolWorkflow } from './patrol-workflow';
