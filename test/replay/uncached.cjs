// Loaded before a worker's own code: it then keeps no run in memory, and replays each one at every
// workflow task.
const { Worker } = require('@temporalio/worker');

const create = Worker.create.bind(Worker);
Worker.create = (options) =>
  create(options.workflowBundle ? { ...options, maxCachedWorkflows: 0 } : options);
