import { definePlugin, hypervisor, isVbsError, type Lifetime, type Plugin, targetExporter } from '@vbs/core';
import { manifestFaults } from '@vbs/core/internal/plugin/manifest-faults.js';
import { prepareInstance } from '@vbs/core/internal/plugin/prepare-instance.js';
import test, { type ExecutionContext } from 'ava';
import { fakeLocalMachine, instanceConfiguration } from './fixtures.js';

interface Config {
  readonly process?: 'this' | 'own';
}

const configSchema = {
  type: 'object',
  properties: { process: { enum: ['this', 'own'], default: 'this' } },
  additionalProperties: false,
};
const never = async (): Promise<never> => {
  throw new Error('not in this test');
};

/** Exporter and hypervisor whose lifetime goes by the configuration, or is what the test says. */
function pluginOf(lifetime: (config: Config) => 'process' | 'daemon'): Plugin {
  return definePlugin({
    name: 'p',
    apiVersion: 1,
    provides: {
      targetExporter: targetExporter<Config, never, 'nbd', 'file', 'local'>({
        configSchema,
        capabilities: [],
        protocol: 'nbd',
        accepts: ['file'],
        machine: 'local',
        lifetime,
        open: never,
      }),
      hypervisor: hypervisor<Config, never, 'nbd', 'local'>({
        configSchema,
        capabilities: [],
        opens: ['nbd'],
        machine: 'local',
        lifetime,
        open: never,
      }),
    },
  });
}

const byConfig = pluginOf((config) => (config.process === 'own' ? 'daemon' : 'process'));

const resolved = test.macro({
  exec: (t: ExecutionContext, kind: 'targetExporter' | 'hypervisor', config: Config, expected: Lifetime) => {
    const preparation = prepareInstance(
      byConfig,
      kind,
      instanceConfiguration({ name: 'vs/x', plugin: 'p', config: { ...config } }),
      fakeLocalMachine(),
    );
    if (!('prepared' in preparation)) throw new Error(JSON.stringify(preparation.faults));
    const { provider } = preparation.prepared;
    t.is(provider.lifetime, expected);
    t.is(provider.machine, 'local', 'the rest is what the plugin declared');
    t.is(typeof byConfig.provides[kind]?.lifetime, 'function', 'and the plugin stays as it is');
  },
  title: (_, kind, config) => `prepareInstance › asks a ${kind} for its lifetime by ${JSON.stringify(config)}`,
});
for (const kind of ['targetExporter', 'hypervisor'] as const) {
  test(resolved, kind, { process: 'own' }, 'daemon');
  test(resolved, kind, { process: 'this' }, 'process');
  test(resolved, kind, {}, 'process');
}

const refused = test.macro((t: ExecutionContext, lifetime: () => 'process', message: RegExp) => {
  const error: unknown = t.throws(() =>
    prepareInstance(pluginOf(lifetime), 'targetExporter', instanceConfiguration({ name: 'vs/x', plugin: 'p' }), fakeLocalMachine()),
  );
  t.true(isVbsError(error) && error.code === 'PLUGIN_INVALID', String(error));
  t.regex((error as Error).message, message);
});
test('prepareInstance › a lifetime that answers nothing legal is PLUGIN_INVALID', refused, () => 'long' as 'process', /answered "long"/);
test(
  'prepareInstance › a lifetime that fails is PLUGIN_INVALID, and says how',
  refused,
  () => {
    throw new Error('no luck');
  },
  /failed: Error: no luck/,
);

test('manifestFaults › takes a lifetime that is a function', (t) => {
  t.deepEqual(manifestFaults(byConfig), []);
});
