// Holds the pages on refunds to the effects that a refund can compensate.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { DATABASE_EFFECTS } from '../../domain/fulfilment/effects';

test.each(['refunds.md', 'refunds.zh-CN.md'])(
  'docs/integrate/%s has a row for each effect',
  (file) => {
    const page = readFileSync(join(packageRoot(), 'docs', 'integrate', file), 'utf8');
    const cells = page.split('\n').filter((line) => line.startsWith('| '));
    /** The pages call the delivered goods by their name: codes. */
    const named = {
      points: /points|积分/,
      sales: /sales|销量/,
      stock: /stock|库存/,
      delivery: /code|码|卡密/,
    };
    const missing = DATABASE_EFFECTS.filter(
      (effect) => !cells.some((line) => named[effect].test(line.split('|')[1] ?? '')),
    );
    expect(missing).toEqual([]);
  },
);
