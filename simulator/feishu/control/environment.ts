// The environment with which Oncepay can call a running simulator.
import type { FeishuSimulator } from './simulator';

/** Oncepay's `FEISHU_*` settings; the ids of its two tables come from `oncepay feishu setup`. */
export function feishuEnvironment({
  url,
  botUrl,
  settings,
  people,
}: FeishuSimulator): Record<string, string> {
  const operators = people.map(({ openId }, at) => `${openId}:operator-${at + 1}:operator`);
  return {
    FEISHU_BASE_URL: url,
    FEISHU_APP_ID: settings.appId,
    FEISHU_APP_SECRET: settings.appSecret,
    FEISHU_BITABLE_APP_TOKEN: settings.appToken,
    FEISHU_CHAT_ID: settings.chatId,
    FEISHU_BOT_WEBHOOK: botUrl,
    FEISHU_VERIFICATION_TOKEN: settings.verificationToken,
    FEISHU_OPERATORS: operators.join(','),
    ...(settings.encryptKey === null ? {} : { FEISHU_ENCRYPT_KEY: settings.encryptKey }),
    ...(settings.botSecret === null ? {} : { FEISHU_BOT_SECRET: settings.botSecret }),
  };
}
