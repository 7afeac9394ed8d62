// The mapping of WeChat's error codes to outcomes.
import { ERRORS } from '../../../../domain/error-catalogue';
import {
  cleanMessage,
  refusalCode,
  undecidedCode,
} from '../../../../providers/wechatpay/calls/error-mapping';

describe('WeChat’s error codes', () => {
  test.each([
    ...['ORDERPAID', 'ORDERCLOSED', 'ORDERNOTEXIST', 'RESOURCE_NOT_EXISTS', 'NOT_ENOUGH'],
    ...['OUT_TRADE_NO_USED', 'PARAM_ERROR', 'SIGN_ERROR', 'NO_AUTH', 'RULELIMIT'],
    ...['FREQUENCY_LIMITED', 'USERPAYING', 'SYSTEM_ERROR', 'BANK_ERROR', 'A_NEW_CODE'],
  ])('%s is a 502 for callers: their own request was right', (wechatCode) => {
    for (const status of [400, 401, 403, 404, 429]) {
      expect(ERRORS[refusalCode(status, wechatCode)].status).toBe(502);
    }
  });

  test.each([
    [400, 'PARAM_ERROR', 'WECHAT_REFUSED'],
    [400, 'INVALID_REQUEST', 'WECHAT_REFUSED'],
    [400, 'APPID_MCHID_NOT_MATCH', 'CONFIGURATION_ERROR'],
    [400, 'MCH_NOT_EXISTS', 'CONFIGURATION_ERROR'],
    [400, 'ORDERPAID', 'ORDER_PAID'],
    [400, 'ORDER_PAID', 'ORDER_PAID'],
    [400, 'ORDERCLOSED', 'ORDER_CLOSED'],
    [400, 'ORDER_CLOSED', 'ORDER_CLOSED'],
    [401, 'SIGN_ERROR', 'CONFIGURATION_ERROR'],
    [401, 'ORDER_PAID', 'CONFIGURATION_ERROR'],
    [403, 'NO_AUTH', 'WECHAT_PERMISSION_DENIED'],
    [403, 'OUT_TRADE_NO_USED', 'OUT_TRADE_NO_USED'],
    [403, 'TRADE_ERROR', 'WECHAT_REFUSED'],
    [403, 'NOT_ENOUGH', 'NOT_ENOUGH'],
    [403, 'RULE_LIMIT', 'RULE_LIMIT'],
    [403, 'RULELIMIT', 'RULE_LIMIT'],
    [404, 'ORDER_NOT_EXIST', 'ORDER_NOT_EXIST'],
    [404, 'ORDERNOTEXIST', 'ORDER_NOT_EXIST'],
    [404, 'RESOURCE_NOT_EXISTS', 'RESOURCE_NOT_EXISTS'],
    [404, 'RESOURCE_NOT_EXIST', 'RESOURCE_NOT_EXISTS'],
    [404, 'RESOURCENOTEXISTS', 'RESOURCE_NOT_EXISTS'],
    [403, 'FREQUENCY_LIMITED', 'FREQUENCY_LIMITED'],
    [403, 'FREQUENCY_LIMIT_EXCEED', 'FREQUENCY_LIMITED'],
    [429, 'FREQUENCY_LIMITED', 'FREQUENCY_LIMITED'],
    [429, 'PARAM_ERROR', 'FREQUENCY_LIMITED'],
    [400, 'SYSTEMERROR', 'SYSTEM_ERROR'],
    [418, '__proto__', 'WECHAT_REFUSED'],
  ])('the error %d %s is %s', (status, wechatCode, expected) => {
    expect(refusalCode(status, wechatCode)).toBe(expected);
  });

  test.each([
    [202, 'USERPAYING', 'USER_PAYING'],
    [202, null, 'NOT_YET'],
    [200, null, 'NOT_YET'],
    [302, null, 'NETWORK_ERROR'],
    [403, null, 'NETWORK_ERROR'],
    [429, null, 'FREQUENCY_LIMITED'],
    [500, 'SYSTEM_ERROR', 'SYSTEM_ERROR'],
    [500, 'SYSTEMERROR', 'SYSTEM_ERROR'],
    [500, 'ORDERPAID', 'SYSTEM_ERROR'],
    [502, 'BANK_ERROR', 'BANK_ERROR'],
    [503, null, 'SYSTEM_ERROR'],
  ])('the undecided error %d %s is %s', (status, wechatCode, expected) => {
    expect(undecidedCode(status, wechatCode)).toBe(expected);
  });

  test.each([
    ['签名错误\r\n\u0000\u001b[31m', '签名错误[31m'],
    ['a\u202eb\u2028c', 'abc'],
    ['x'.repeat(300), 'x'.repeat(256)],
    [`${'x'.repeat(255)}😀`, 'x'.repeat(255)],
    ['', ''],
  ])('the message %j becomes one short line', (message, expected) => {
    expect(cleanMessage(message)).toBe(expected);
  });

  test.each<[string, string[], string]>([
    ['openid o-1 和 o-1 不匹配', ['o-1'], 'openid *** 和 *** 不匹配'],
    ['姓名王小明不正确', ['王小明', 'o-1'], '姓名***不正确'],
    ['o-123 is wrong', ['o-1', 'o-123'], '*** is wrong'],
    ['o\u0000-1 is wrong', ['o-1'], '*** is wrong'],
    [`${'x'.repeat(250)} o-12345678`, ['o-12345678'], `${'x'.repeat(250)} ***`],
    ['a name is missing', ['a', ''], 'a name is missing'],
  ])('the message %j does not quote %j', (message, personal, expected) => {
    expect(cleanMessage(message, personal)).toBe(expected);
  });
});
