import type { VbsError } from '@vbs/core';
import { readConfiguration } from '@vbs/core/internal/config/index.js';
import test from 'ava';

const withMachine = (machine: unknown): object => ({ plugins: [], volumeServers: { vs1: { machine } } });

test("readConfiguration › a machine over SSH has a host, and where they are told ssh's configuration file and a folder there", async (t) => {
  const machineOf = async (machine: unknown): Promise<unknown> =>
    (await readConfiguration(withMachine(machine), { baseDirectory: '/etc/vbs' })).volumeServers.vs1?.machine;
  t.deepEqual(await machineOf({ ssh: { host: 'admin@vs1' } }), { ssh: { host: 'admin@vs1' } });
  const ssh = { host: 'vs1', configFile: 'ssh_config', stateDirectory: '/srv/vbs' };
  t.deepEqual(await machineOf({ ssh }), { ssh: { ...ssh, configFile: '/etc/vbs/ssh_config' } });
});

const refused = test.macro<[ssh: object, path: string]>({
  title: (_, ssh) => `readConfiguration › refuses ssh: ${JSON.stringify(ssh)}`,
  exec: async (t, ssh, path) => {
    const error = await t.throwsAsync<VbsError>(readConfiguration(withMachine({ ssh })), { code: 'CONFIG_INVALID' });
    const faults = error?.context.faults as readonly { readonly path: string }[] | undefined;
    t.deepEqual(
      faults?.map((fault) => fault.path),
      [path],
    );
  },
});
test(refused, { host: '-oProxyCommand=x' }, '/volumeServers/vs1/machine/ssh/host');
test(refused, { host: 'vs1', stateDirectory: 'relative' }, '/volumeServers/vs1/machine/ssh/stateDirectory');
test(refused, { host: 'vs1', stateDirectory: '/a\nb' }, '/volumeServers/vs1/machine/ssh/stateDirectory');
test(refused, { host: 'vs1', password: 'x' }, '/volumeServers/vs1/machine/ssh/password');
