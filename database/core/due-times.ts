/** A run is this late before the sweep of the api starts it again. */
export const DUE_GRACE_MS = 15_000;
/** Effects and deliveries of an order are under way this long before its run is looked for. */
export const SETTLE_GRACE_MS = 60_000;
/** A row is looked at by the sweep after this, should its run never hear of it. */
export const FIRST_SWEEP_MS = 15_000;
/** A turn that comes this little too early is taken at once; otherwise the run would wait a second time. */
export const EARLY_MS = 500;
