// The people of the tenant, and the app that writes beside them.
import { createHash } from 'node:crypto';
import { APP_NAME, type FeishuSettings, type Person } from '../options';

/** A person as Feishu shows one in a table. */
export interface PersonView {
  readonly id: string;
  readonly name: string;
  readonly en_name: string;
  readonly email: string;
  readonly avatar_url: string;
}

/** The three ids of a person in an event. */
export interface OperatorId {
  readonly open_id: string;
  readonly union_id: string;
  readonly user_id: string;
}

export interface People {
  /** Null: this app knows nobody of that open_id. */
  find: (openId: string) => PersonView | null;
  operatorId: (openId: string) => OperatorId;
  all: readonly Person[];
}

const digest = (openId: string): string => createHash('sha256').update(openId).digest('hex');

export function createPeople(people: readonly Person[], settings: FeishuSettings): People {
  const names = new Map(people.map(({ openId, name }) => [openId, name]));
  names.set(settings.appOpenId, APP_NAME);
  return {
    find: (openId) => {
      const name = names.get(openId);
      return name === undefined
        ? null
        : { id: openId, name, en_name: name, email: '', avatar_url: '' };
    },
    operatorId: (openId) => ({
      open_id: openId,
      union_id: `on_${digest(openId).slice(0, 32)}`,
      user_id: openId === settings.appOpenId ? '' : digest(openId).slice(32, 40),
    }),
    all: people,
  };
}
