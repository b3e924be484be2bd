import { isVbsError, Secret } from '@vbs/core';
import { type InstanceConfiguration, validateInstanceConfig } from '@vbs/core/internal/config/index.js';
import test from 'ava';
import { secretOfAnotherCopy } from '../secret-of-another-copy.js';

const path = '/volumeServers/vs1/backends/fast';

function instance(config: Readonly<Record<string, unknown>>): InstanceConfiguration {
  return { name: 'vs1/fast', path, plugin: 'lvm', default: false, openNetwork: false, commands: {}, timeLimits: {}, config };
}

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['volumeGroup'],
  properties: {
    volumeGroup: { type: 'string', pattern: '^[a-z0-9]+$' },
    stripes: { type: 'integer', default: 2 },
    mode: { enum: ['thick', 'thin'], default: 'thick' },
    password: { type: 'string', minLength: 12, writeOnly: true },
    pin: { enum: ['1234', '4321'], writeOnly: true },
    users: { type: 'array', items: { type: 'string', writeOnly: true } },
    tuning: { type: 'object', additionalProperties: false, properties: { cache: { type: 'string', default: 'none' } }, default: {} },
  },
} as const;

test('validateInstanceConfig › fills in defaults, and leaves what it was given as it was', (t) => {
  const given = instance({ volumeGroup: 'vg0', tuning: {} });
  t.deepEqual(validateInstanceConfig(schema, given), {
    config: { volumeGroup: 'vg0', stripes: 2, mode: 'thick', tuning: { cache: 'none' } },
    faults: [],
  });
  t.deepEqual(given.config, { volumeGroup: 'vg0', tuning: {} });
});

const refuses = test.macro({
  exec(t, config: Readonly<Record<string, unknown>>, ...faults: readonly (readonly [place: string, message: string])[]) {
    t.deepEqual(
      validateInstanceConfig(schema, instance(config)).faults,
      faults.map(([place, message]) => ({ path: path + place, message })),
    );
  },
  title: (what) => `validateInstanceConfig › refuses ${what}`,
});
test('a misspelt key', refuses, { volumeGruop: 'vg0' }, ['/volumeGruop', 'unknown key; did you mean volumeGroup?']);
test('a misspelt key of the core', refuses, { volumeGroup: 'vg0', timeLimit: {} }, ['/timeLimit', 'unknown key; did you mean timeLimits?']);
test('a misspelt key in the depth', refuses, { volumeGroup: 'vg0', tuning: { chache: 'x' } }, [
  '/tuning/chache',
  'unknown key; did you mean cache?',
]);
test('a misspelt value', refuses, { volumeGroup: 'vg0', mode: 'thik' }, ['/mode', 'must be thick or thin; did you mean thick?']);
test(
  'all that is wrong at once',
  refuses,
  { stripes: 'two', mode: 5 },
  ['/stripes', 'must be a whole number'],
  ['/mode', 'must be thick or thin'],
  ['/volumeGroup', 'is missing'],
);
test('a text where a secret is needed', refuses, { volumeGroup: 'vg0', password: 'correct-horse' }, [
  '/password',
  'is a secret: give it as { env: NAME } or { file: path }',
]);
test('a secret that is too short, without showing it', refuses, { volumeGroup: 'vg0', password: new Secret('short') }, [
  '/password',
  'must NOT have fewer than 12 characters',
]);
const noSecret = 'takes no secret: the plugin expects its value in plain text';
test('a secret where the plugin expects plain text', refuses, { volumeGroup: new Secret('vg0') }, ['/volumeGroup', noSecret]);
test('a secret where plain text would not be legal either', refuses, { volumeGroup: new Secret('VG 0') }, ['/volumeGroup', noSecret]);
test('a secret where no text can be', refuses, { volumeGroup: 'vg0', stripes: new Secret('2') }, ['/stripes', noSecret]);
test('a secret in the depth', refuses, { volumeGroup: 'vg0', tuning: { cache: new Secret('x') } }, ['/tuning/cache', noSecret]);
test('a secret under a misspelt key', refuses, { volumeGroup: 'vg0', pasword: new Secret('correct-horse') }, [
  '/pasword',
  'unknown key; did you mean password?',
]);
test('a secret that is near to a legal value, without showing it', refuses, { volumeGroup: 'vg0', pin: new Secret('1235') }, [
  '/pin',
  'must be 1234 or 4321',
]);

test('validateInstanceConfig › a secret counts as text, and stays a secret', (t) => {
  const password = new Secret('correct-horse-battery');
  const { config, faults } = validateInstanceConfig(schema, instance({ volumeGroup: 'vg0', password }));
  t.deepEqual(faults, []);
  t.is(config.password, password);
  t.notRegex(JSON.stringify(config), /horse/);
});

test('validateInstanceConfig › secrets in a list are where they are marked', (t) => {
  const { faults } = validateInstanceConfig(schema, instance({ volumeGroup: 'vg0', users: [new Secret('a'), 'b'] }));
  t.deepEqual(faults, [{ path: `${path}/users/1`, message: 'is a secret: give it as { env: NAME } or { file: path }' }]);
});

test('validateInstanceConfig › a secret of another copy of the core counts as one', (t) => {
  const password = secretOfAnotherCopy('correct-horse-battery');
  const { config, faults } = validateInstanceConfig(schema, instance({ volumeGroup: 'vg0', password }));
  t.deepEqual(faults, []);
  t.is(config.password, password);
});

test('validateInstanceConfig › a schema that Ajv refuses is the fault of the plugin', (t) => {
  const error = t.throws(() => validateInstanceConfig({ type: 'object', properteis: {} }, instance({})));
  t.true(isVbsError(error) && error.code === 'PLUGIN_INVALID');
  t.regex(error.message, /plugin lvm .*properteis/);
});

test('validateInstanceConfig › of alternatives, tells the faults of the one that was meant', (t) => {
  const alternatives = {
    type: 'object',
    additionalProperties: false,
    properties: {
      target: {
        oneOf: [
          { type: 'string', description: 'a path' },
          { type: 'object', additionalProperties: false, required: ['host'], properties: { host: { type: 'string' } } },
        ],
      },
    },
  };
  t.deepEqual(validateInstanceConfig(alternatives, instance({ target: { hots: 'x' } })).faults, [
    { path: `${path}/target/hots`, message: 'unknown key; did you mean host?' },
  ]);
  t.deepEqual(validateInstanceConfig(alternatives, instance({ target: 5 })).faults, [
    { path: `${path}/target`, message: 'must be one of: a path; a map of keys to values' },
  ]);
});
