// The rights that the app has: on the document, and by the scopes of its published version.
import { refuse, type Reply } from '../http/reply';

export interface Rights {
  /** The app was added to the document (添加文档应用). False: 91403. */
  readonly documentAdded: boolean;
  /** The app may manage the document (可管理). */
  readonly canManage: boolean;
  /** 高级权限 is on: an app that can't manage the document finds nothing and writes nothing. */
  readonly advancedRights: boolean;
  /** The scopes of the published version. */
  readonly scopes: readonly string[] | 'all';
}

export type RightsChange = { readonly [K in keyof Rights]?: Rights[K] | undefined };

export interface RightsStore {
  current: () => Rights;
  change: (rights: RightsChange) => void;
  /** Null when the app has the scope. */
  checkScope: (scope: string) => Reply | null;
  clear: () => void;
}

const ALL: Rights = {
  documentAdded: true,
  canManage: true,
  advancedRights: false,
  scopes: 'all',
};

export function createRights(): RightsStore {
  let rights = ALL;
  return {
    current: () => rights,
    change: (changed) => {
      rights = {
        documentAdded: changed.documentAdded ?? rights.documentAdded,
        canManage: changed.canManage ?? rights.canManage,
        advancedRights: changed.advancedRights ?? rights.advancedRights,
        scopes: changed.scopes ?? rights.scopes,
      };
    },
    checkScope: (scope) =>
      rights.scopes === 'all' || rights.scopes.includes(scope)
        ? null
        : refuse(99991672, { detail: `One of the following scopes is required: [${scope}].` }),
    clear: () => {
      rights = ALL;
    },
  };
}
