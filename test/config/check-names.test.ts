// Tests which names of variables stop the start, and which are only warned about.
import { checkEnvironment } from '../../config/settings';
import { LATER_NAMES } from '../../config/known-names';
import { REQUIRED } from './support/environment';

const findings = (change: Record<string, string>) => {
  const { problems, warnings } = checkEnvironment({ ...REQUIRED, ...change });
  return { problems, warnings };
};
const NOTHING = { problems: [], warnings: [] };

test.each([
  ['ONCEPAY_TWO_PERSON_FENS', 'ONCEPAY_TWO_PERSON_FEN'],
  ['ONCEPAY_PAYMENT_WINDWO', 'ONCEPAY_PAYMENT_WINDOW'],
  ['ONCEPAY_HASHKEY', 'ONCEPAY_HASH_KEY'],
  ['ONCEPAY_HASHKEY_FILE', 'ONCEPAY_HASH_KEY_FILE'],
  ['ONCEPAY_HASH_KEY_FILES', 'ONCEPAY_HASH_KEY'],
  ['ONCEPAY_CONSOL', 'ONCEPAY_CONSOLE'],
  ['WECHATPAY_MERCHANT', 'WECHATPAY_MERCHANT_ID'],
  ['WECHATPAY_APIV3_KEY', 'WECHATPAY_API_V3_KEY'],
  ['WECHAT_PAY_APP_ID', 'WECHATPAY_APP_ID'],
  ['WECHAT_SHIPING', 'WECHAT_SHIPPING'],
  ['FEISHU_CHATID', 'FEISHU_CHAT_ID'],
  ['FEISHU_APP_SECRT_FILE', 'FEISHU_APP_SECRET_FILE'],
])('the unknown name %s stops the start and names %s', (name, nearest) => {
  const value = name.endsWith('_FILE') ? __filename : '0';
  for (const NODE_ENV of ['production', 'test', 'development']) {
    expect(findings({ NODE_ENV, [name]: value }).problems).toEqual([
      `${name} is unknown; the nearest known name is ${nearest}`,
    ]);
  }
});

test.each(['WECHAT_BOT_OF_ANOTHER_PROGRAM', 'FEISHU_WEBHOOK_OF_CI'])(
  'the name %s of another program is one warning',
  (name) => {
    expect(findings({ [name]: 'x' })).toEqual({
      problems: [],
      warnings: [`${name} is unknown and has no effect`],
    });
  },
);

test.each(LATER_NAMES.filter((name) => name !== 'ONCEPAY_SIMULATOR_URL'))(
  'the name %s, which a later version uses, is accepted with one warning',
  (name) => {
    expect(findings({ [name]: 'x' })).toEqual({
      problems: [],
      warnings: [`${name} has no effect: this version does not use it yet`],
    });
  },
);

test.each([
  ['ONCEPAY_SERVICE_HOST', '10.0.0.7'],
  ['ONCEPAY_API_SERVICE_HOST', '10.0.0.7'],
  ['ONCEPAY_API_SERVICE_PORT', '80'],
  ['ONCEPAY_API_SERVICE_PORT_HTTP', '80'],
  ['ONCEPAY_API_PORT', 'tcp://10.0.0.7:80'],
  ['ONCEPAY_OPS_PORT', 'tcp://10.0.0.7:80'],
  ['ONCEPAY_API_PORT_80_TCP', 'tcp://10.0.0.7:80'],
  ['ONCEPAY_API_PORT_80_TCP_PROTO', 'tcp'],
  ['ONCEPAY_API_PORT_80_TCP_PORT', '80'],
  ['ONCEPAY_API_PORT_80_TCP_ADDR', '10.0.0.7'],
  ['WECHATPAY_PROXY_PORT_443_TCP_ADDR', '10.0.0.7'],
])('%s=%s, which Kubernetes sets for a Service, is known', (name, value) => {
  expect(findings({ [name]: value })).toEqual(NOTHING);
});

test.each([
  ['a port that is no link of Kubernetes', 'ONCEPAY_API_PORT', '8080'],
  ['a name that only resembles one of Kubernetes', 'ONCEPAY_SERVICE_HOSTS', 'x'],
])('%s stops the start', (_what, name, value) => {
  expect(findings({ [name]: value }).problems).toHaveLength(1);
});

test.each(['ONCEPAY_SECRETS_DIR', 'ONCEPAY_PUBLIC_PORT', 'ONCEPAY_VERSION'])(
  'the name %s of docker-compose.yml is known',
  (name) => {
    expect(findings({ [name]: 'x' })).toEqual(NOTHING);
  },
);

test('an empty variable counts as not set, whatever its name', () => {
  expect(findings({ ONCEPAY_TWO_PERSON_FENS: '', ONCEPAY_CONSOLE: '' })).toEqual(NOTHING);
});

test('names of other programs and of the system are not looked at', () => {
  expect(findings({ PATH: '/bin', ONCEPAYX: '1', oncepay_port: '1', npm_config_x: '1' })).toEqual(
    NOTHING,
  );
});
