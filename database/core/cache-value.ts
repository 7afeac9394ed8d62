// Keeps a value that was read from the database for a short time.
/** A value that a process reads from the database and keeps for a short time. */
export interface Cached<T> {
  /**
   * Returns the value, and reads it again when it is too old. While the database can't be reached,
   * it returns the last known value. Callers at the same time share one read.
   * @throws the error of the read, when no read has succeeded yet
   */
  current(): Promise<T>;
  /** Makes the next call of `current` read the value again. */
  forget(): void;
}

/** @param maxAgeMs how long a value is returned before it is read again */
export function createCached<T>(
  read: () => Promise<T>,
  { maxAgeMs, now }: { readonly maxAgeMs: number; readonly now: () => number },
): Cached<T> {
  let known: { readonly value: T } | null = null;
  let freshUntilMs = 0;
  let reading: Promise<T> | null = null;

  const readAgain = async (): Promise<T> => {
    try {
      known = { value: await read() };
      return known.value;
    } catch (error) {
      if (known === null) throw error;
      return known.value;
    } finally {
      // Also after a failure: not every caller shall query a database that is down.
      freshUntilMs = now() + maxAgeMs;
      reading = null;
    }
  };

  return {
    current: () => {
      if (known !== null && now() < freshUntilMs) return Promise.resolve(known.value);
      return (reading ??= readAgain());
    },
    forget() {
      freshUntilMs = 0;
    },
  };
}
