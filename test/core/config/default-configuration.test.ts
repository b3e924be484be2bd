import { defaultConfiguration, readConfiguration, validateInstanceConfig } from '@vbs/core/internal/config/index.js';
import file from '@vbs/plugin-file';
import nbd from '@vbs/plugin-nbd';
import sandbox from '@vbs/plugin-sandbox';
import test from 'ava';

test('defaultConfiguration › is what the plugins that it names take', async (t) => {
  const { volumeServers, vmmNodes } = await readConfiguration(defaultConfiguration({ dataDirectory: '/tmp/vbs', port: 0 }));
  const backend = volumeServers.local?.backends.files;
  const exporter = volumeServers.local?.exporters.nbd;
  const hypervisor = vmmNodes.sandbox?.hypervisor;
  t.deepEqual([backend?.plugin, exporter?.plugin, hypervisor?.plugin], [file.name, nbd.name, sandbox.name]);
  if (backend === undefined || exporter === undefined || hypervisor === undefined) return;
  t.deepEqual(validateInstanceConfig(file.provides.volumeBackend.configSchema, backend).faults, []);
  t.deepEqual(validateInstanceConfig(nbd.provides.targetExporter.configSchema, exporter).faults, []);
  t.deepEqual(validateInstanceConfig(sandbox.provides.hypervisor.configSchema, hypervisor).faults, []);
});
