/** Which outcome something meets, counted down. The newest rule that meets it counts. */
export interface OutcomeRules<Rule, Key extends keyof Rule> {
  set: (rule: Rule) => void;
  take: (subject: Readonly<Record<Key, Rule[Key]>>) => Rule;
  clear: () => void;
}

/**
 * @param keys what a rule can be limited to; absent in a rule: it meets all.
 * @param fallback what is met by none meets this.
 */
export function createOutcomeRules<
  Rule extends { readonly times?: number | undefined },
  Key extends keyof Rule,
>(keys: readonly Key[], fallback: Rule): OutcomeRules<Rule, Key> {
  let rules: { rule: Rule; left: number }[] = [];
  const isAbout = (rule: Rule, other: Rule): boolean =>
    keys.every((key) => rule[key] === other[key]);
  return {
    set: (rule) => {
      // One for all that follow takes the place of an older one: what it said can't be met again.
      const kept = rules.filter((one) => !(rule.times === undefined && isAbout(one.rule, rule)));
      rules = [{ rule, left: rule.times ?? Infinity }, ...kept];
    },
    take: (subject) => {
      const met = rules.find(({ rule }) =>
        keys.every((key) => rule[key] === undefined || rule[key] === subject[key]),
      );
      if (met === undefined) return fallback;
      met.left--;
      rules = rules.filter(({ left }) => left > 0);
      return met.rule;
    },
    clear: () => {
      rules = [];
    },
  };
}
