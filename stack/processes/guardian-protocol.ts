// The messages between the owner of a stack and its guardian, over the IPC channel.
import { z } from 'zod';

/** The signals that a stack sends. SIGSTOP makes a process hang, SIGCONT lets it go on. */
export const stackSignalSchema = z.enum(['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGSTOP', 'SIGCONT']);
export type StackSignal = z.infer<typeof stackSignalSchema>;

const childSpecSchema = z.object({
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** The child's stdout and stderr are appended to this file. */
  logFile: z.string(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  /** Programs are stopped before the servers they use. */
  stage: z.enum(['program', 'server']),
  /** The signal that stops this child; SIGKILL follows after STOP_GRACE_MS. */
  stopSignal: stackSignalSchema,
});
/** How a child process is started and stopped. */
export type ChildSpec = z.infer<typeof childSpecSchema>;

export const requestSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('spawn'), id: z.number(), spec: childSpecSchema }),
  z.object({
    type: z.literal('signal'),
    id: z.number(),
    child: z.number(),
    signal: stackSignalSchema,
  }),
  z.object({ type: z.literal('stop'), id: z.number() }),
]);
export type GuardianRequest = z.infer<typeof requestSchema>;

export const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('done'), id: z.number(), pid: z.number() }),
  z.object({ type: z.literal('failed'), id: z.number(), message: z.string() }),
  z.object({
    type: z.literal('exit'),
    child: z.number(),
    code: z.number().nullable(),
    signal: z.string().nullable(),
  }),
]);
export type GuardianMessage = z.infer<typeof messageSchema>;

/** The milliseconds between a child's stop signal and SIGKILL. */
export const STOP_GRACE_MS = 5_000;
