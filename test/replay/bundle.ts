// Bundles workflows for tests, replays histories with them, and reads bundles.
import { join } from 'node:path';
import {
  bundleWorkflowCode,
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  Worker,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { z } from 'zod';
import { packageRoot } from '../../config/paths';
import type { Recording } from './histories';

const quiet = new DefaultLogger('ERROR', () => undefined);

/**
 * For test files that replay: a runtime that keeps quiet, since Temporal would write each refused
 * replay to the test's output, and that ends with the file.
 */
export function useQuietTemporal(): void {
  beforeAll(() => {
    const filter = makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' });
    Runtime.install({ logger: quiet, telemetryOptions: { logging: { filter, forward: {} } } });
  });
  afterAll(() => Runtime.instance().shutdown());
}

/** The workflows from their sources, as a release bundles them; or those of another file. */
export function bundleWorkflows(
  workflowsPath = join(packageRoot(), 'workflows', 'index.ts'),
): Promise<{ readonly code: string }> {
  return bundleWorkflowCode({ workflowsPath, logger: quiet });
}

export interface Replayed {
  /** `<version>/<scenario>` */
  readonly recording: string;
  readonly error: Error | null;
}

/** Replays recordings with this code, one after the other. */
export async function replay(
  workflowBundle: WorkflowBundleOption,
  recordings: readonly Recording[],
): Promise<Replayed[]> {
  const histories = recordings.map(({ version, scenario, history }) => ({
    workflowId: `${version}/${scenario}`,
    history,
  }));
  const replayed: Replayed[] = [];
  for await (const result of Worker.runReplayHistories({ workflowBundle }, histories)) {
    replayed.push({ recording: result.workflowId, error: result.error ?? null });
  }
  return replayed;
}

const MAP = /sourceMappingURL=data:application\/json;charset=utf-8;base64,(\S+)\s*$/;
const mapSchema = z.object({ sources: z.array(z.string()).min(1) });

/** The modules in a bundle, from its source map, with paths from the project folder on. */
export function modulesOf(code: string): string[] {
  const [, encoded = ''] = MAP.exec(code) ?? [];
  const { sources } = mapSchema.parse(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')));
  return sources.map((source) => source.replaceAll(`${packageRoot()}/`, ''));
}

/** How much of a bundle is code that workers load, in bytes. */
export function codeBytes(code: string): number {
  return Buffer.byteLength(code.replace(MAP, ''));
}
