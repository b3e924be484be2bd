import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConfigurationFault, type Plugin, type VbsError } from '@vbs/core';
import commandPlugin from '@vbs/plugin-command';
import { hypervisorConfigSchema } from '@vbs/plugin-command/internal/hypervisor/config.js';
import { initiatorConfigSchema } from '@vbs/plugin-command/internal/initiator/config.js';
import test, { type ExecutionContext } from 'ava';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import { openCommand } from '../../support/command/open-command.js';
import { readmeExample } from '../../support/command/readme-example.js';

type Keys = Record<string, unknown>;
type Change = (keys: Keys) => Keys;

async function faultsOf(
  t: ExecutionContext,
  plugin: Plugin,
  kind: 'hypervisor' | 'initiator',
  config: Keys,
): Promise<readonly ConfigurationFault[]> {
  const directory = await mkdtemp(join(tmpdir(), 'vbs-command-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const machine = new StandInMachine({ root: directory, stateDirectory: directory, tools: {} });
  const error = await t.throwsAsync<VbsError>(openCommand(plugin, kind, directory, machine, config), { code: 'CONFIG_INVALID' });
  t.deepEqual(machine.faults.ran, []);
  return error?.context.faults as readonly ConfigurationFault[];
}

const mistake = test.macro<[example: 'xen' | 'proxmox' | 'iscsi', what: string, change: Change, path: string, message: RegExp]>({
  title: (_, example, what) => `open (${example}) › CONFIG_INVALID names the place and what is legal: ${what}`,
  exec: async (t, example, _what, change, path, message) => {
    const kind = example === 'iscsi' ? 'initiator' : 'hypervisor';
    const faults = await faultsOf(t, commandPlugin, kind, change(readmeExample(example)));
    const found = faults.find((fault) => fault.path.endsWith(path));
    t.truthy(found, JSON.stringify(faults));
    t.regex(found?.message ?? '', message);
  },
});

const set =
  (key: string, value: unknown): Change =>
  (keys) => ({ ...keys, [key]: value });
const without =
  (key: string): Change =>
  ({ [key]: _gone, ...keys }) =>
    keys;
const within =
  (key: string, change: Change): Change =>
  (keys) => ({ ...keys, [key]: change(keys[key] as Keys) });

test(mistake, 'xen', 'no list', without('list'), '/list', /is missing.*exit code alone decides nothing.*must be able to look/);
test(mistake, 'xen', 'no identify', without('identify'), '/identify', /is missing.*\(\?<vm>…\)/);
test(mistake, 'xen', 'no attach', without('attach'), '/attach', /is missing/);
test(mistake, 'xen', 'a misspelt key', set('atach', 'xl'), '/atach', /attach/);
test(
  mistake,
  'xen',
  'an unknown placeholder',
  set('attach', 'xl block-attach <vmId> phy:<vmDevice> <vmDev> <mode>'),
  '/attach',
  /no value for <vmDevice>.*Did you mean/,
);
test(
  mistake,
  'xen',
  'a placeholder that attach alone knows',
  set('detach', 'xl block-detach <vmId> <vmDev> <sizeBytes>'),
  '/detach',
  /Legal are <vmId>, <vmDev>, <vmmDev>/,
);
test(mistake, 'xen', 'no slot in detach', set('detach', 'xl block-detach <vmId>'), '/detach', /leaves <vmDev> out/);
test(mistake, 'xen', 'no device in attach', set('attach', 'xl block-attach <vmId> <vmDev> <mode>'), '/attach', /leaves <vmmDev> out/);
test(mistake, 'xen', 'a lone bracket', set('attach', 'xl block-attach <vmId'), '/attach', /lone "<"/);
test(mistake, 'xen', 'a relative tool', set('detach', 'bin/xl <vmId> <vmDev>'), '/detach', /absolute path/);
test(mistake, 'xen', 'a value that names the tool', set('detach', '<vmId> <vmDev>'), '/detach', /begin with the tool/);
test(
  mistake,
  'xen',
  'a VM that would name an option',
  set('detach', 'xl block-detach -<vmId> <vmDev>'),
  '/detach',
  /<vmId> would name an option: only <vmDev> may/,
);
test(
  mistake,
  'xen',
  'a value in identify',
  within('identify', set('run', 'xl list <vmId>')),
  '/identify/run',
  /no value for <vmId> here. It takes none/,
);
test(
  mistake,
  'xen',
  'no expression',
  within('identify', set('lines', ['(?<vm>x'])),
  '/identify/lines/0',
  /no regular expression of JavaScript/,
);
test(mistake, 'xen', 'no VM in a line', within('identify', set('lines', ['^x'])), '/identify/lines/0', /tells no VM.*\(\?<vm>…\)/);
test(
  mistake,
  'xen',
  'an unknown group',
  within('list', set('lines', ['(?<alias>1)(?<slot>2)(?<sorce>3)'])),
  '/list/lines/0',
  /Did you mean \(\?<source>…\)/,
);
test(mistake, 'xen', 'a group of ignore', within('list', set('ignore', ['(?<slot>1)'])), '/list/ignore/0', /It takes none/);
test(
  mistake,
  'xen',
  'no slot in a line',
  within('list', set('lines', ['(?<alias>1)(?<source>3)'])),
  '/list/lines/0',
  /tells no slot.*\(\?<slot>…\)/,
);
test(
  mistake,
  'xen',
  'no source in any line',
  within('list', set('lines', ['(?<alias>1)(?<slot>3)(?<access>w)(?<state>4)'])),
  '/list/lines',
  /no line tells the source.*\(\?<source>…\).*E3/,
);
test(mistake, 'xen', 'no VM of a disk', within('list', set('lines', ['(?<slot>1)(?<source>3)'])), '/list/lines/0', /whose the disk is/);
test(
  mistake,
  'proxmox',
  'a VM told twice',
  within('list', set('lines', ['(?<vm>1)(?<slot>1)(?<source>3)'])),
  '/list/lines/0',
  /is run for <vmId> alone/,
);
test(
  mistake,
  'proxmox',
  'an alias that identify does not tell',
  (keys) => ({
    ...within('identify', set('lines', ['(?<vm>1)']))(keys),
    list: { run: 'qm x', lines: ['(?<alias>1)(?<slot>1)(?<source>3)'] },
  }),
  '/list/lines/0',
  /no line of identify has it/,
);
test(mistake, 'xen', 'no words for <mode>', without('mode'), '/mode', /attach has <mode>/);
test(mistake, 'xen', 'half of the words for <mode>', set('mode', { 'read-write': 'w' }), '/mode/read-only', /is missing/);
test(mistake, 'xen', 'one word for both modes', set('mode', { 'read-write': 'w', 'read-only': 'w' }), '/mode', /one word for both/);
test(
  mistake,
  'proxmox',
  'words for a <mode> that is not there',
  set('mode', { 'read-write': 'w', 'read-only': 'r' }),
  '/mode',
  /of no use/,
);
test(
  mistake,
  'proxmox',
  'a <mode> that nothing tells',
  (keys) => ({ ...keys, attach: 'qm set <vmId> -<vmDev> <vmmDev>,ro=<mode>', mode: { 'read-write': '0', 'read-only': '1' } }),
  '/attach',
  /nothing tells which are.*\(\?<access>…\)/,
);
test(mistake, 'xen', 'no words for the group access', without('access'), '/access', /list has the group \(\?<access>…\)/);
test(mistake, 'xen', 'no words for the group state', without('state'), '/state', /list has the group \(\?<state>…\)/);
test(mistake, 'xen', 'no word that means attached', set('state', { '4': 'changing' }), '/state', /no word that means attached/);
test(mistake, 'xen', 'a state that is none', set('state', { '4': 'there' }), '/state/4', /attached.*changing/);
test(mistake, 'xen', 'no slots', set('slots', []), '/slots', /at least one|fewer than 1|must NOT have/);
test(mistake, 'xen', 'a slot that is no expression', set('slots', [{ match: '(xvdb' }]), '/slots/0/match', /no regular expression/);
test(
  mistake,
  'xen',
  'a slot with two names',
  set('slots', [{ match: '(?<name>xvdb)', name: 'xvdb' }]),
  '/slots/0',
  /leave one of them out/,
);
test(
  mistake,
  'xen',
  'an error rule that is true of all',
  set('errors', [{ means: 'NOT_FOUND' }]),
  '/errors/0',
  /neither "exits" nor "text"/,
);
test(
  mistake,
  'xen',
  'an error code that is none',
  set('errors', [{ exits: [1], means: 'GONE' }]),
  '/errors/0/means',
  /NOT_FOUND.*requested/,
);
test(
  mistake,
  'xen',
  'an error text that is no expression',
  set('errors', [{ text: '(', means: 'NOT_FOUND' }]),
  '/errors/0/text',
  /no regular expression/,
);
test(mistake, 'iscsi', 'no list', without('list'), '/list', /is missing.*must be able to look/);
test(mistake, 'iscsi', 'no size', without('size'), '/size', /is missing.*E2/);
test(mistake, 'iscsi', 'no serial', without('serial'), '/serial', /is missing.*E2/);
test(mistake, 'iscsi', 'no holders', without('holders'), '/holders', /is missing.*E3/);
test(
  mistake,
  'iscsi',
  'a list that does not tell the target',
  within('list', set('lines', ['(?<disk>sda)(?<address>a)(?<port>1)(?<lun>1)'])),
  '/list/lines/0',
  /needs the groups \(\?<iqn>…\) too/,
);
test(mistake, 'iscsi', 'a serial without its group', within('serial', set('match', 'vol')), '/serial/match', /\(\?<serial>…\)/);
test(mistake, 'iscsi', 'a size of no disk', set('size', '/sys/block/sda/size'), '/size', /leaves <disk> out/);
test(mistake, 'iscsi', 'a path with a star', set('size', '/sys/block/*/<disk>/size'), '/size', /without \*/);
test(mistake, 'iscsi', 'a path that climbs', set('size', '/sys/block/<disk>/../size'), '/size', /"\.\."/);
test(
  mistake,
  'iscsi',
  'a device that is not told apart',
  set('device', '/dev/disk/by-path/<iqn>'),
  '/device',
  /leaves <address>, <port>, <lun> out/,
);
test(
  mistake,
  'iscsi',
  'a password that disconnect does not get',
  set('disconnect', [{ run: 'tool <chapPassword>' }]),
  '/disconnect/0/run',
  /no value for <chapPassword>/,
);
test(mistake, 'iscsi', 'a user without a password', set('connect', [{ run: 'tool <chapUser>' }]), '/connect', /none has <chapPassword>/);
test(
  mistake,
  'iscsi',
  'a portal that would name an option',
  set('connect', [{ run: 'tool --<portal>' }]),
  '/connect/0/run',
  /no value may/,
);
test(mistake, 'iscsi', 'an AoE value', set('connect', [{ run: 'tool <shelf>' }]), '/connect/0/run', /no value for <shelf>.*Legal are/);
test(
  mistake,
  'iscsi',
  'a condition that disconnect has not',
  set('disconnect', [{ run: 'tool', when: 'chap' }]),
  '/disconnect/0/when',
  /unknown|no such key|not/,
);
test(mistake, 'iscsi', 'holders that tell none', set('holders', [{ run: 'tool', lines: ['x'] }]), '/holders/0/lines/0', /\(\?<holder>…\)/);
test(mistake, 'iscsi', 'no name of the node', within('identity', set('lines', ['x'])), '/identity/lines/0', /\(\?<name>…\)/);

test('open › all faults are told at once', async (t) => {
  const keys = { ...readmeExample('xen'), detach: 'xl block-detach <vmId>', mode: undefined, slots: [{ match: '(' }] };
  const { mode: _mode, list: _list, ...rest } = keys as Keys;
  const paths = (await faultsOf(t, commandPlugin, 'hypervisor', rest)).map(({ path }) => path);
  t.deepEqual(paths.toSorted(), ['/detach', '/list', '/mode', '/slots/0/match']);
});

for (const [name, schema] of [
  ['hypervisor', hypervisorConfigSchema],
  ['initiator', initiatorConfigSchema],
] as const) {
  test(`${name}.schema.json › is what the plugin validates by`, (t) => {
    const path = fileURLToPath(new URL(`../../../../plugins/command/${name}.schema.json`, import.meta.url));
    t.deepEqual(JSON.parse(readFileSync(path, 'utf8')), JSON.parse(JSON.stringify(schema)));
  });
}
