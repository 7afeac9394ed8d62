// What the owner of a stack and its guardian say to each other over the IPC channel.
import { z } from 'zod';

/** The signals a stack sends. SIGSTOP and SIGCONT make a process hang and go on. */
export const stackSignalSchema = z.enum(['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGSTOP', 'SIGCONT']);
export type StackSignal = z.infer<typeof stackSignalSchema>;

const childSpecSchema = z.object({
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
  /** stdout and stderr are appended here. */
  logFile: z.string(),
  uid: z.number().optional(),
  gid: z.number().optional(),
  /** Programs are stopped before the servers they talk to. */
  stage: z.enum(['program', 'server']),
  /** What asks this child to end; SIGKILL follows after STOP_GRACE_MS. */
  stopSignal: stackSignalSchema,
});
/** How one child process is started and stopped. */
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

/** Milliseconds between a child's stop signal and SIGKILL. */
export const STOP_GRACE_MS = 5_000;
