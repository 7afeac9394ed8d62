import type { DatabaseContext } from './context';

/** What the api still asks of the inbox outside its hot path. */
export function createInbox({ prisma }: DatabaseContext) {
  return {
    /** Inbox rows without a verdict: the lag behind WeChat. */
    async openCount(): Promise<number> {
      return prisma.inboxNotification.count({ where: { verdict: null } });
    },
  };
}
