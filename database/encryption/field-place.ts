// Describes where an encrypted value stands.

/** The place of an encrypted value. A value that is moved to another place can't be decrypted. */
export interface FieldPlace {
  readonly table: string;
  readonly column: string;
  /** The row's id; the application makes it before the insert. */
  readonly row: string;
}
