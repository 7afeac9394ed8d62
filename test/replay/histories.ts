// Reads the recorded histories.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '@temporalio/common/lib/proto-utils';
import { z } from 'zod';
import { packageRoot } from '../../config/paths';
import { historyFromJson, historyToJson } from './history-json';

const FOLDER = join(packageRoot(), 'test', 'replay', 'histories');
/** Stands for what a recording says of the machine it was made on. */
const LEFT_OUT = 'recorded';

/** A recording as it is on disk: Temporal's own JSON of a history. */
export interface Recording {
  readonly version: string;
  readonly scenario: string;
  readonly history: History;
  readonly text: string;
}

const packageSchema = z.object({ version: z.string().regex(/^\d+\.\d+\.\d+/) });

/** The version of this code, from package.json. */
export function currentVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8');
  return packageSchema.parse(JSON.parse(text)).version;
}

/** Every recording of every version. */
export function readRecordings(): Recording[] {
  return readdirSync(FOLDER).flatMap((version) =>
    readdirSync(join(FOLDER, version)).map((file) => {
      const text = readFileSync(join(FOLDER, version, file), 'utf8');
      const history = historyFromJson(JSON.parse(text));
      return { version, scenario: file.replace(/\.json$/, ''), history, text };
    }),
  );
}

/** Names of the scenarios that have a recording of this version. */
export function recordedScenarios(version: string): ReadonlySet<string> {
  mkdirSync(join(FOLDER, version), { recursive: true });
  return new Set(readdirSync(join(FOLDER, version)).map((file) => file.replace(/\.json$/, '')));
}

/** Writes a new recording. @throws when there is one already: none is ever overwritten */
export function writeRecording(version: string, scenario: string, history: History): void {
  writeFileSync(join(FOLDER, version, `${scenario}.json`), recordingText(history), { flag: 'wx' });
}

/** Temporal's JSON of a history, without names and paths of the machine it was made on. */
export function recordingText(history: History): string {
  const hideMachine = (key: string, value: unknown) => {
    if (key === 'identity') return LEFT_OUT;
    if (key === 'stackTrace') return '';
    if (key === 'taskQueue' && isSticky(value)) return { ...value, name: LEFT_OUT };
    return value;
  };
  return `${JSON.stringify(historyToJson(history), hideMachine, 2)}\n`;
}

/** A sticky task queue is named after its worker's host and process. */
function isSticky(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    value.kind === 'TASK_QUEUE_KIND_STICKY'
  );
}

/** The recording with its payloads in clear text. */
export function clearText(text: string): string {
  const payloads: string[] = [];
  JSON.parse(text, (key, value: unknown) => {
    if (key === 'data' && typeof value === 'string') {
      payloads.push(Buffer.from(value, 'base64').toString('utf8'));
    }
    return value;
  });
  return [text, ...payloads].join('\n');
}
