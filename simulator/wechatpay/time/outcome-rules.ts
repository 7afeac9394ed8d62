// Picks the outcome that a test has set for the next refund, part or return.
/**
 * Picks the outcome for something, and counts the rule down. The newest rule that applies counts.
 */
export interface OutcomeRules<Rule, Key extends keyof Rule> {
  set: (rule: Rule) => void;
  take: (subject: Readonly<Record<Key, Rule[Key]>>) => Rule;
  clear: () => void;
}

/**
 *
 * @param keys the fields that a rule can be limited to; a rule without the field applies to all.
 * @param fallback the outcome where no rule applies.
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
      // A rule for all that follow replaces an older one, which could never apply again.
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
