import type { Machine } from '@vbs/core';
import { guardSettler } from '@vbs/core/internal/compose.js';
import type { Delegates } from '@vbs/core/internal/delegate/delegate.js';
import type { OperationRecord } from '@vbs/core/internal/metadata/operations.js';
import type { Workflows } from '@vbs/core/internal/operations/workflows.js';
import test from 'ava';
import { machineFixture } from './fixture.js';

/** A volume server and a node of one name, each on a machine of its own, and what was settled where. */
function delegates(settled: string[]): Delegates {
  const machine = (name: string): Machine => {
    const settle: Machine['settle'] = async (_call, resource) => void settled.push(`${name}: ${resource}`);
    return { name, settle } as Machine;
  };
  const names = (...instances: readonly string[]) => new Map(instances.map((name) => [name, { name }]));
  const server = { name: 'a', machine: machine('storage'), backends: names('a/fast'), exporters: names('a/iet') };
  const node = { name: 'a', machine: machine('node'), initiators: names('a/iscsi'), hypervisor: { name: 'a/hypervisor' } };
  return { volumeServers: new Map([['a', server]]), vmmNodes: new Map([['a', node]]) } as unknown as Delegates;
}

const where = test.macro<[instance: string, settled: readonly string[]]>({
  title: (_, instance) => `recovery › settles the guard of ${instance} on the machine where its tools run (safety B1)`,
  exec: async (t, instance, expected) => {
    const { call } = await machineFixture(t);
    const settled: string[] = [];
    const workflows = { one: { kind: 'one', guards: () => [{ instance, resourceId: 'vol-1' }] } } as unknown as Workflows;
    await guardSettler(delegates(settled), workflows)({ kind: 'one', params: {} } as unknown as OperationRecord, call());
    t.deepEqual(settled, expected);
  },
});
test(where, 'a/fast', ['storage: vol-1']);
test(where, 'a/iet', ['storage: vol-1']);
test(where, 'a/iscsi', ['node: vol-1']);
test(where, 'a/hypervisor', ['node: vol-1']);
test(where, 'a', ['node: vol-1']);
test(where, 'a/gone', ['storage: vol-1', 'node: vol-1']);
test(where, 'gone/fast', []);
