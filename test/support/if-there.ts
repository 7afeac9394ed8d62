// Reads what Temporal may not have yet, or no more, without hiding other errors.
import { ScheduleNotFoundError } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/common';

/** @returns null when Temporal knows no such run or schedule; any other error is thrown */
export async function ifThere<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError || error instanceof ScheduleNotFoundError) {
      return null;
    }
    throw error;
  }
}
