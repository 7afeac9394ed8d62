// Interrupts a process at its n-th step: it dies, or hangs until the test lets it go on.
/** The kind and place of an interruption: at its n-th step the process dies or hangs. */
export interface Interruption {
  readonly kind: 'dies' | 'hangs';
  /** Steps are the moments before and after each call that leaves the process, from 0. */
  readonly atStep: number;
}

class ProcessDied extends Error {
  override readonly name = 'ProcessDied';
}

/** A process that may die or hang between any two of its calls. */
export interface Process {
  readonly isDead: () => boolean;
  /** Returns the same object; each call of it is a step, and so is the moment after it. */
  through<T extends object>(room: T): T;
}

/** The places at which processes were really interrupted. */
export interface Interrupted extends Interruption {
  /** The moment, as `before turn`. */
  readonly moment: string;
}

export interface ProcessEvents {
  /** Gets a function that lets the process go on; no code awaits it. */
  readonly onHang: (goOn: () => void) => void;
  readonly onInterrupted: (interrupted: Interrupted) => void;
}

export function createProcess(
  interruption: Interruption | null,
  { onHang, onInterrupted }: ProcessEvents,
): Process {
  let steps = 0;
  let dead = false;
  const step = async (moment: string): Promise<void> => {
    const now = steps === interruption?.atStep ? interruption : null;
    steps += 1;
    if (now) onInterrupted({ ...now, moment });
    if (now?.kind === 'hangs') await new Promise<void>(onHang);
    if (now?.kind === 'dies') dead = true;
    if (dead) throw new ProcessDied();
  };
  return {
    isDead: () => dead,
    through: <T extends object>(room: T): T =>
      new Proxy(room, {
        get(target, name): unknown {
          const call: unknown = Reflect.get(target, name);
          if (typeof call !== 'function') return call;
          return async (...args: unknown[]): Promise<unknown> => {
            await step(`before ${String(name)}`);
            const answer: unknown = await Reflect.apply(call, target, args);
            await step(`after ${String(name)}`);
            return answer;
          };
        },
      }),
  };
}
