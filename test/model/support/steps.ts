// The form of the commands of a random sequence, and the parts that many of them have.
import fc from 'fast-check';
import { checkBooks } from './books';
import type { Interruption } from './interruption';
import type { OrderDriver } from './order-driver';

/** The content of a requested refund, by its number's ending. */
export interface Model {
  readonly asked: Map<number, Asked>;
}
export interface Asked {
  readonly label: number;
  /** Of the order's total. */
  readonly thousandths: number;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
}

/** A command of the sequence; the books are checked after each. */
export abstract class Step implements fc.AsyncCommand<Model, OrderDriver> {
  check(): boolean {
    return true;
  }
  async run(model: Model, driver: OrderDriver): Promise<void> {
    await this.act(driver, model);
    await checkBooks(driver);
  }
  abstract act(driver: OrderDriver, model: Model): Promise<void>;
  abstract toString(): string;
}

/** A command, printed as its action and arguments. */
class Does<T> extends Step {
  private readonly name: string;
  private readonly given: T;
  private readonly what: (driver: OrderDriver, given: T, model: Model) => Promise<void>;
  constructor(
    name: string,
    given: T,
    what: (driver: OrderDriver, given: T, model: Model) => Promise<void>,
  ) {
    super();
    this.name = name;
    this.given = given;
    this.what = what;
  }
  act(driver: OrderDriver, model: Model): Promise<void> {
    return this.what(driver, this.given, model);
  }
  toString(): string {
    return `${this.name} ${JSON.stringify(this.given)}`;
  }
}

export const command = <T>(
  name: string,
  given: fc.Arbitrary<T>,
  what: (driver: OrderDriver, given: T, model: Model) => Promise<void>,
): fc.Arbitrary<Step> => given.map((one) => new Does(name, one, what));

export const index = fc.nat({ max: 30 });
export const pick = <T>(list: readonly T[], at: number): T | undefined =>
  list.length === 0 ? undefined : list[at % list.length];

/** The attempts of the longest way: queried, not there, sent again, failed, the budget counted. */
const LAST_STEP = 15;

export const interruption: fc.Arbitrary<Interruption | null> = fc.option(
  fc.record({
    kind: fc.constantFrom('dies' as const, 'hangs' as const),
    atStep: fc.nat({ max: LAST_STEP }),
  }),
  { freq: 2 },
);
