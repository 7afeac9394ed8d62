// Takes order numbers from the database in blocks.
import { CHANNELS, type Channel } from '../../domain/orders/channels';
import {
  makeOrderNumber,
  shanghaiDay,
  userHashDigits,
  type OrderNumber,
} from '../../domain/orders/order-number';
import type { DatabaseContext } from '../core/context';

/** Numbers in a block. A process that stops loses the unused rest of its blocks. */
const BLOCK_SIZE = 200;

interface Block {
  next: number;
  readonly end: number;
}

/** A source of order numbers. */
export interface OrderNumbers {
  next(order: { channel: Channel; userId: string; nowMs: number }): Promise<OrderNumber>;
}

/**
 * Makes order numbers. Each process takes blocks of sequences from the database, per day and
 * channel: two processes never make the same number, and most numbers cost no round trip.
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

  /** Fetches one block at a time per day and channel; all callers wait for the same fetch. */
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
