import { applyOverrides } from '@vbs/core/internal/command/overrides.js';
import test from 'ava';

const commands = { attach: 'xl block-attach <vmId> phy:<dev> <mode>', detach: 'xl block-detach <vmId> <dev>' };
const scope = { path: '/vmmNodes/xen1/hypervisor', capabilities: ['read-only', 'hotplug'] };
const apply = (overrides: Readonly<Record<string, { pattern: string; withdraws?: readonly string[] }>>) =>
  applyOverrides(
    commands,
    Object.fromEntries(Object.entries(overrides).map(([name, override]) => [name, { withdraws: [], ...override }])),
    scope,
  );

test('applyOverrides › replaces what is named and leaves the rest', (t) => {
  const { commands: replaced, withdrawn, faults } = apply({ attach: { pattern: 'sudo -n xm block-attach <vmId> phy:<dev> <mode>' } });
  t.deepEqual(replaced, { ...commands, attach: 'sudo -n xm block-attach <vmId> phy:<dev> <mode>' });
  t.deepEqual([...withdrawn], []);
  t.deepEqual(faults, []);
});

test('applyOverrides › a left-out placeholder withdraws what the configuration says', (t) => {
  const { withdrawn, faults } = apply({ attach: { pattern: 'xm block-attach <vmId> phy:<dev>', withdraws: ['read-only'] } });
  t.deepEqual(faults, []);
  t.deepEqual([...withdrawn], ['read-only']);
});

const faulty = test.macro<
  [what: string, name: string, override: { pattern: string; withdraws?: readonly string[] }, message: RegExp, place?: string]
>({
  title: (_, what) => `applyOverrides › refuses ${what}`,
  exec: (t, _, name, override, message, place = '') => {
    const { faults } = apply({ [name]: override });
    t.is(faults.length, 1);
    t.regex(faults[0]?.message ?? '', message);
    t.is(faults[0]?.path, `${scope.path}/commands/${name}${place}`);
  },
});
test(faulty, 'a name that the plugin has not, with the nearest', 'atach', { pattern: 'x' }, /Did you mean "attach"\?/);
test(faulty, 'a name that is like none, with all', 'zzzzzzzz', { pattern: 'x' }, /Legal are attach, detach/);
test(faulty, 'a name that every object has', 'constructor', { pattern: 'x' }, /no command of this name/);
test(faulty, 'a left-out placeholder without withdraws', 'attach', { pattern: 'xl <vmId> <dev>' }, /leaves <mode> out.*"withdraws"/);
test(
  faulty,
  'an unknown placeholder, with the nearest',
  'detach',
  { pattern: 'xl <vmid> <vmId> <dev>' },
  /no value for <vmid>\. Did you mean "vmId"/,
);
test(faulty, 'a pattern that cannot be split', 'detach', { pattern: 'xl <vmId> <dev' }, /lone "<"/);
test(
  faulty,
  'an unknown capability',
  'detach',
  { pattern: 'xl <vmId> <dev>', withdraws: ['readonly'] },
  /Did you mean "read-only"/,
  '/withdraws',
);

test('applyOverrides › a name with a slash is escaped in the path', (t) => {
  t.is(apply({ 'a/b': { pattern: 'x' } }).faults[0]?.path, `${scope.path}/commands/a~1b`);
});

test('applyOverrides › tells all faults at once', (t) => {
  const { faults } = apply({ atach: { pattern: 'x' }, attach: { pattern: '' }, detach: { pattern: 'xl <other>' } });
  t.is(faults.length, 4);
});
