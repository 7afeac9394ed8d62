// Wakes a run without waiting for Temporal; counts the wakes that are left to the sweep.

/** Takes a wake or a start that is under way. It never throws, and nobody has to wait for it. */
export type WakeOrLeaveToSweep = (wake: Promise<void>) => void;

/**
 * Makes the function for routes that reply before Temporal has accepted the wake of a run. The row
 * of the run is due: when Temporal does not accept the wake, the sweep finds the row and starts the
 * run.
 * @param signals counts each wake that failed as `left_to_sweep`
 */
export function createWakeOrLeaveToSweep(signals: {
  inc(labels: { outcome: 'left_to_sweep' }): void;
}): WakeOrLeaveToSweep {
  return (wake) => {
    wake.catch(() => signals.inc({ outcome: 'left_to_sweep' }));
  };
}
