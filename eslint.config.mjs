// The rules of style that ESLint checks.
import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'generated/', '.data/', 'node_modules/', 'coverage/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 400 }],
      'max-lines-per-function': ['error', { max: 70, skipComments: true }],
      'max-params': ['error', { max: 4 }],
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'CallExpression > MemberExpression[property.name=/^[gs]et(FullYear|Month|Date)$/],' +
            'CallExpression > MemberExpression[property.name=/^[gs]et(Hours|Minutes|Seconds)$/],' +
            'CallExpression > MemberExpression[property.name=/^get(Day|TimezoneOffset)$/]',
          message:
            'It depends on the TZ of the process. Use the UTC methods, or shanghaiDay (S24).',
        },
        {
          selector:
            'CallExpression > MemberExpression[property.name=/^to(Locale)?(Date|Time)String$/]',
          message: 'It depends on the TZ of the process. Use toISOString (S24).',
        },
        {
          selector:
            'TemplateElement[value.raw=/::(date|timestamp)\\b|current_date|localtime/i],' +
            'TemplateElement[value.raw=/date_trunc\\((?!\\w*[^()]*,[^()]*,)/i]',
          message: 'It depends on the time zone of the session. Pass the day or time in (S24).',
        },
      ],
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'env',
          message: 'Only config/ reads the environment (S14).',
        },
      ],
    },
  },
  {
    files: ['config/**/*.ts', 'stack/**/*.ts', 'test/**/*.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  { files: ['test/**/*.ts'], rules: { 'max-lines-per-function': 'off', 'max-params': 'off' } },
  {
    files: ['**/*.cjs', '**/*.mjs'],
    languageOptions: {
      globals: {
        module: 'writable',
        require: 'readonly',
        process: 'readonly',
        console: 'readonly',
      },
    },
  },
);
