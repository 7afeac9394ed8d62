// The pattern of the ids that the database and Oncepay make.
// Sandbox: deterministic only.

/** A UUID of any version, in lower case. */
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
