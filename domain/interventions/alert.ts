// Alerts: what the people who run the service should learn at once, and the port that sends it.
// Sandbox: deterministic only.

/** One message to the people who run the service. */
export interface Alert {
  readonly kind:
    | 'interventions'
    /** A request waits for a second person. */
    | 'proposal'
    | 'dependency_down'
    | 'dependency_up'
    /** Callbacks that WeChat signed name no order, or have a shape that Oncepay doesn't know. */
    | 'callback_ignored'
    /** No patrol has completed for three intervals. */
    | 'patrol_stopped';
  /** The reason of the interventions; only for that kind. */
  readonly reason?: string;
  /** How many interventions, or 1. */
  readonly count: number;
  /** Some of the order numbers concerned, to start with; the subject where there is none. */
  readonly numbers: readonly string[];
  /** One line for people. */
  readonly text: string;
}

/** Sends alerts. When it throws, the caller sends the alert again as long as its cause is there. */
export interface AlertPort {
  alert(alert: Alert): Promise<void>;
}

/** Writes alerts to the log, as warnings, until a messenger is connected here. */
export function createLoggedAlerts(log: { warn(alert: Alert, event: string): void }): AlertPort {
  return {
    alert(alert) {
      log.warn(alert, 'alert');
      return Promise.resolve();
    },
  };
}
