/**
 * The rooms of each layer, ground first: a room imports only rooms on the rungs below its own (L2).
 * Rooms on one rung do not know each other. `files` are the layer's own files that every room may
 * import; all other files of a layer stand on top of its rooms.
 */
module.exports = {
  domain: {
    files: ['money', 'error-catalogue', 'uuid'],
    rungs: [
      ['orders', 'fulfilment'],
      ['interventions'],
      [
        'payments',
        'refunds',
        'sharing',
        'patrol',
        'retries',
        'settings',
        'temporal',
        'outbound',
        'reconciliation',
        'statistics',
      ],
      ['proposals'],
    ],
  },
  database: {
    files: [],
    rungs: [
      ['connections'],
      ['encryption', 'migrations'],
      ['core'],
      ['proposals'],
      ['interventions', 'settings', 'requests'],
      ['outbound'],
      ['fulfilment'],
      ['orders', 'sharing'],
      ['views'],
      ['refunds'],
      ['payments'],
      ['reconciliation'],
      ['retries'],
      ['resolutions'],
      ['inbox'],
      ['patrol', 'sweep', 'statistics'],
    ],
  },
  'providers/wechatpay': {
    files: [],
    rungs: [['crypto'], ['fields'], ['transport'], ['keys'], ['notices'], ['calls'], ['bills']],
  },
  'providers/feishu': { files: [], rungs: [['crypto'], ['transport'], ['calls']] },
  activities: {
    files: [],
    rungs: [
      ['retries'],
      ['wechat'],
      ['runs'],
      ['orders', 'refunds', 'sharing', 'outbound', 'patrol'],
      ['reconciliation'],
    ],
  },
  api: {
    files: [],
    rungs: [
      ['http'],
      ['body'],
      ['admission', 'temporal', 'proposals'],
      ['health'],
      ['refunds', 'sharing'],
      ['orders'],
      [
        'products',
        'interventions',
        'patrol',
        'reconciliations',
        'retries',
        'settings',
        'callbacks',
        'outbound',
        'statistics',
      ],
      ['dispatcher'],
    ],
  },
  'simulator/wechatpay': {
    files: ['options'],
    rungs: [
      ['time'],
      ['keys'],
      ['http'],
      ['callbacks'],
      ['payments'],
      ['refunds'],
      ['sharing'],
      ['bills'],
      ['control'],
    ],
  },
  'simulator/feishu': {
    files: ['options'],
    rungs: [['time'], ['http'], ['tenant'], ['events'], ['bitable', 'chat'], ['control', 'page']],
  },
  stack: { files: [], rungs: [['processes'], ['postgres', 'temporal']] },
  bench: {
    files: ['statistics'],
    rungs: [
      ['bare', 'ground'],
      ['callbacks', 'orders', 'outage', 'floods'],
    ],
  },
};
