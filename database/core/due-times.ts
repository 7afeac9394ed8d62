// The times that all rooms share: when the sweep looks at a row, and how early a row may be taken.

/**
 * The sweep of the api starts a run again when it is this late; a run normally moves its due time
 * first.
 */
export const DUE_GRACE_MS = 15_000;
/** The sweep looks at a new row after this time, in case its run was never woken. */
export const FIRST_SWEEP_MS = 15_000;
/**
 * A run has this long for the effects and deliveries of its order before the sweep starts it again.
 */
export const SETTLE_GRACE_MS = 60_000;
/** A run that waits for a person looks again this often whether it may go on. */
export const PAUSED_POLL_MS = 15_000;
/**
 * A turn that comes this little too early is taken at once; otherwise the run would wait a second
 * time.
 */
export const EARLY_MS = 500;
