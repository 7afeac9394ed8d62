// The worker process of the bare workflow, set up as Oncepay's: one worker for each of the four
// task queues. Its argument is a BareWorkerConfig as JSON.
import { NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { createLogger } from '../../config/logger';
import { TASK_QUEUES } from '../../domain/temporal/task-queues';
import { startHealthServer } from '../../workers/health-server';
import { ensureSearchAttributes } from '../../workers/search-attributes';
import { createTemporalLogger } from '../../workers/temporal-logger';
import { createBareActivities } from './bare-activities';

export interface BareWorkerConfig {
  readonly port: number;
  readonly address: string;
  readonly namespace: string;
  readonly queryGapMs: number;
}

/** The same number as in workers/create-workers. */
const MAX_CACHED_WORKFLOWS = 400;

async function main(): Promise<void> {
  const config = JSON.parse(process.argv[2] ?? '{}') as BareWorkerConfig;
  const { address, namespace } = config;
  const logger = createLogger({ level: 'info', service: 'worker' });
  Runtime.install({ logger: createTemporalLogger(logger), shutdownSignals: [] });
  const connection = await NativeConnection.connect({ address });
  await ensureSearchAttributes(connection, namespace);
  const activities = createBareActivities(config.queryGapMs);
  const autoscaling = { type: 'autoscaling' } as const;
  const create = (taskQueue: string, options: Partial<WorkerOptions>) =>
    Worker.create({ connection, namespace, taskQueue, activities, ...options });
  const onlyActivities = (limit: number) => ({
    maxConcurrentActivityTaskExecutions: limit,
    activityTaskPollerBehavior: autoscaling,
  });
  const workers = await Promise.all([
    create(TASK_QUEUES.orders, {
      workflowsPath: require.resolve('./bare-workflow'),
      maxCachedWorkflows: MAX_CACHED_WORKFLOWS,
      maxConcurrentLocalActivityExecutions: 32,
      maxConcurrentActivityTaskExecutions: 32,
      workflowTaskPollerBehavior: autoscaling,
    }),
    create(TASK_QUEUES.wechatpay, onlyActivities(64)),
    create(TASK_QUEUES.wechatpayQuery, onlyActivities(32)),
    create(TASK_QUEUES.outbound, onlyActivities(64)),
  ]);
  const runs = workers.map((worker) => worker.run());
  const health = await startHealthServer({ port: config.port, host: null }, () =>
    workers.every((worker) => worker.getState() === 'RUNNING') ? {} : null,
  );
  process.once('SIGTERM', () => {
    for (const worker of workers) worker.shutdown();
  });
  await Promise.all(runs);
  await health.stop();
  await connection.close();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
