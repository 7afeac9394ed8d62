// Tests how DATABASE_URL is taken apart.
import { DatabaseUrlError, readDatabaseUrl } from '../../../domain/settings/database-url';

const AT = 'postgresql://shop:p%40ss@db.example:6432/oncepay';

test.each([
  ['no parameter', '', '', null, {}],
  ['a parameter of TLS', '?sslmode=require', '?sslmode=require', null, {}],
  ['a schema', '?schema=shop_1', '', 'shop_1', {}],
  ['a schema beside TLS', '?schema=shop&sslmode=require', '?sslmode=require', 'shop', {}],
  ['a schema with a hyphen', '?schema=Shop-1', '', 'Shop-1', {}],
  ['a time-out', '?statement_timeout=60000', '', null, { statement_timeout: '60000' }],
  ['an option', '?options=-c%20lock_timeout%3D5s', '', null, { lock_timeout: '5s' }],
  [
    'options in both spellings',
    '?options=-csearch_path=shop%20--plan-cache-mode=auto',
    '',
    null,
    { search_path: 'shop', plan_cache_mode: 'auto' },
  ],
  [
    'an option with a space',
    '?options=-c%20search_path%3Dshop%2C%5C%20public',
    '',
    null,
    { search_path: 'shop, public' },
  ],
])('a URL with %s is taken apart', (_what, query, kept, schema, settings) => {
  expect(readDatabaseUrl(AT + query)).toEqual({ connectionString: AT + kept, schema, settings });
});

test.each([
  ['another scheme', 'mysql://shop@db/oncepay', /^must be a postgresql:\/\/ URL$/],
  ['no URL', 'db.example', /^must be a postgresql:\/\/ URL$/],
  ['an empty schema', `${AT}?schema=`, /one schema after `schema=`/],
  ['two schemas', `${AT}?schema=a&schema=b`, /one schema after `schema=`/],
  ['a quote in the schema', `${AT}?schema=a%22b`, /one schema after `schema=`/],
  ['a schema of 64 letters', `${AT}?schema=${'s'.repeat(64)}`, /one schema after `schema=`/],
  ['a schema that PostgreSQL keeps for itself', `${AT}?schema=pg_toast`, /begins with pg_/],
  ['options that are no settings', `${AT}?options=-W`, /`-c name=value`/],
])('a URL with %s is refused', (_what, url, expected) => {
  expect(() => readDatabaseUrl(url)).toThrow(DatabaseUrlError);
  expect(() => readDatabaseUrl(url)).toThrow(expected);
});
