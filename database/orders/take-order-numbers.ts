import { CHANNELS, type Channel } from '../../domain/orders/channels';
import {
  makeOrderNumber,
  shanghaiDay,
  userHashDigits,
  type OrderNumber,
} from '../../domain/orders/order-number';
import type { DatabaseContext } from '../core/context';

/** Numbers taken from the database at once; what a process leaves unused when it stops is lost. */
const BLOCK_SIZE = 200;

interface Block {
  next: number;
  readonly end: number;
}

export interface OrderNumbers {
  next(order: { channel: Channel; userId: string; nowMs: number }): Promise<OrderNumber>;
}

/**
 * Hands out order numbers. Each process takes its sequences from the database in blocks per day and
 * channel, so that processes never hand out the same and most numbers cost no round trip.
 */
export function createOrderNumbers({ prisma, hash }: DatabaseContext): OrderNumbers {
  const blocks = new Map<string, Promise<Block>>();

  async function takeBlock(day: string, channel: Channel): Promise<Block> {
    const { nextValue } = await prisma.orderSequence.upsert({
      where: { day_channel: { day, channel: CHANNELS[channel].digits } },
      create: { day, channel: CHANNELS[channel].digits, nextValue: BLOCK_SIZE },
      update: { nextValue: { increment: BLOCK_SIZE } },
      select: { nextValue: true },
    });
    return { next: nextValue - BLOCK_SIZE, end: nextValue };
  }

  /** One block is fetched at a time per day and channel; everybody who needs one waits for it. */
  async function sequence(day: string, channel: Channel): Promise<number> {
    const key = `${day}${channel}`;
    for (;;) {
      let pending = blocks.get(key);
      if (!pending) {
        for (const old of blocks.keys()) if (!old.startsWith(day)) blocks.delete(old);
        pending = takeBlock(day, channel);
        blocks.set(key, pending);
        pending.catch(() => blocks.delete(key));
      }
      const block = await pending;
      if (block.next < block.end) return block.next++;
      if (blocks.get(key) === pending) blocks.delete(key);
    }
  }

  return {
    async next({ channel, userId, nowMs }) {
      const day = shanghaiDay(nowMs);
      return makeOrderNumber({
        day,
        channel,
        sequence: await sequence(day, channel),
        userHash: userHashDigits(hash.bytes('user', userId)),
      });
    },
  };
}
