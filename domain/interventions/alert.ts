/** Something the people who run the service should hear of now. */
export interface Alert {
  readonly kind: 'interventions' | 'dependency_down' | 'dependency_up';
  /** Of interventions. */
  readonly reason?: string;
  /** How many it speaks for. */
  readonly count: number;
  /** Some of the numbers concerned, to start from. */
  readonly numbers: readonly string[];
  /** One line for people. */
  readonly text: string;
}

/** Where alerts go. One that throws is told again later, where the matter is still open. */
export interface AlertPort {
  alert(alert: Alert): Promise<void>;
}

/** Alerts go to the log until a messenger is connected here: as warnings, whatever else is left out. */
export function createLoggedAlerts(log: { warn(alert: Alert, event: string): void }): AlertPort {
  return {
    alert(alert) {
      log.warn(alert, 'alert');
      return Promise.resolve();
    },
  };
}
