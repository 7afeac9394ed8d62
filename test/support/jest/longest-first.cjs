// Starts the test files that wait longest first, so that no long one is left alone at the end.
const Sequencer = require('@jest/test-sequencer').default;

/** Files of more than a minute, the longest first; they mostly wait for time-outs. */
const LONGEST = [
  'e2e/interventions',
  'e2e/sharing',
  'e2e/refunds',
  'e2e/outages/outages',
  'e2e/orders',
  'e2e/patrol/patrol',
  'e2e/orders/prepay-and-close',
  'replay/uncached',
  'e2e/outages/wechat-outage',
  'e2e/outages/temporal-lost',
  'e2e/outages/backpressure',
  'stack/stack',
  'e2e/queries',
  'e2e/outages/too-often',
  'e2e/outages/retries',
  'model/refunds',
  'model/running',
];
/** Then these rooms, in this order, then all others. */
const ROOMS = ['e2e', 'model', 'api', 'docs', 'workers', 'replay'];

/** Low numbers start first. @param path of a test file */
function rank(path) {
  const name = path.replaceAll('\\', '/').replace(/^.*\/test\//, '');
  const long = LONGEST.findIndex((file) => name === `${file}.test.ts`);
  if (long >= 0) return long;
  const room = ROOMS.indexOf(name.split('/')[0]);
  return LONGEST.length + (room >= 0 ? room : ROOMS.length);
}

module.exports = class LongestFirst extends Sequencer {
  /** Files of one rank keep the order that jest gives them: what failed last, then by duration. */
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a.path) - rank(b.path));
  }
};
