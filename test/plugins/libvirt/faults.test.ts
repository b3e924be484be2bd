import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttachDeviceRequest, type DeviceSource, errorTable, isVbsError, type Machine, VbsError } from '@vbs/core';
import type { ExecutionContext } from 'ava';
import { interceptedMachine } from '../../support/intercepted-machine.js';
import { makeIscsiDisk } from '../../support/libvirt/iscsi-disk.js';
import { sharedGuests, withLibvirt } from '../../support/libvirt/requirements.js';
import { call, type Hypervisor, makeNode, type NodeFixture, sizeBytes } from './node-fixture.js';

const real = await withLibvirt('losetup', 'tgtd', 'tgtadm');
const { test, why } = real;
const guests = sharedGuests(real, 'vm1');

/** What happens to one act (safety A7); `dies` and every later one fails, as when this process is killed there. */
type Fault = 'fails' | 'fails after its effect' | 'hangs' | 'is late' | 'dies before' | 'dies after';
const faults: readonly Fault[] = ['fails', 'fails after its effect', 'hangs', 'is late', 'dies before', 'dies after'];
const mostActs = 20;

/** A machine on which the n-th act goes wrong, and the others are done. */
function faulty(machine: Machine, nth: number, fault: Fault): Machine & { readonly acts: readonly string[] } {
  const acts: string[] = [];
  let dead = false;
  const broken = async <T>(what: string, act: () => Promise<T>): Promise<T> => {
    const late = new VbsError('DEADLINE_EXCEEDED', 'virsh did not end in time');
    if (dead) throw late;
    acts.push(what);
    if (acts.length !== nth) return act();
    dead = fault.startsWith('dies');
    if (fault === 'is late' || fault === 'dies after' || fault === 'fails after its effect') await act();
    if (!fault.startsWith('fails')) throw late;
    throw new VbsError('INTERNAL', 'virsh failed', { context: { exitCode: 1, stderr: 'error: a text that nobody knows\n' } });
  };
  const own: Partial<Machine> = {
    run: (given, command, options) => broken(command.map(String).join(' '), () => machine.run(given, command, options)),
    writeFile: (given, path, text, options) => broken(`write ${path}`, () => machine.writeFile(given, path, text, options)),
  };
  return Object.assign(interceptedMachine(machine, own), { acts });
}

interface Trial {
  readonly node: NodeFixture;
  readonly vm: 'vm1' | 'still';
  readonly request: () => AttachDeviceRequest;
  readonly fault: Fault;
  /** Before each attempt. */
  readonly prepare: (wanted: AttachDeviceRequest) => Promise<void>;
  readonly act: (hypervisor: Hypervisor, wanted: AttachDeviceRequest) => Promise<unknown>;
  /** What the act brings about, and what was before. */
  readonly before: 'out' | 'in';
  readonly check: (wanted: AttachDeviceRequest, what: string) => Promise<void>;
}

/** Acts with the fault at each act of the machine, until the act ends without having met it; then repeats it without. */
async function everywhere(t: ExecutionContext, { node, vm, request, fault, prepare, act, before, check }: Trial): Promise<void> {
  for (let nth = 1; nth <= mostActs; nth++) {
    const wanted = request();
    await prepare(wanted);
    let machine: ReturnType<typeof faulty> | undefined;
    const broken = await node.open({
      machine: (sound) => {
        machine = faulty(sound, nth, fault);
        return machine;
      },
    });
    const error: unknown = await act(broken, wanted).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    const acts = machine?.acts ?? [];
    if (acts.length < nth) {
      t.is(error, undefined);
      t.true(nth > 3, 'hardly an act was met');
      await check(wanted, 'without a fault');
      return;
    }
    const what = `${fault} at act ${nth}: ${acts[nth - 1]}`;
    if (error !== undefined) {
      if (!isVbsError(error)) throw error;
      const { live, config } = await node.slots(vm);
      const isIn = live.includes('vdb') || config.includes('vdb');
      const isWhole = config.includes('vdb') && (vm === 'still' || live.includes('vdb'));
      if (errorTable[error.code].outcome === 'failed')
        t.is(before === 'in' ? isWhole : isIn, before === 'in', `${error.code} says that nothing changed; ${what}`);
    }
    await act(node.hypervisor, wanted);
    await check(wanted, what);
  }
  t.fail(`more than ${mostActs} acts`);
}

async function disksOf(node: NodeFixture, vm: string): Promise<readonly string[]> {
  const { live, config } = await node.slots(vm);
  return [...live.map((slot) => `live ${slot}`), ...config.map((slot) => `config ${slot}`)].sort();
}

/** A VM with a neighbour in vdc, which nothing may touch, and the source that goes in and out of vdb. */
async function scene(t: ExecutionContext, vm: 'vm1' | 'still') {
  const node = await makeNode(t, guests());
  t.timeout(240_000);
  if (vm === 'still') {
    await guests().define('still');
    t.teardown(() => guests().daemon.virsh('undefine', 'still'));
  }
  const key = await guests().uuid(vm);
  const neighbour = node.request(key, await node.loop(), { slot: 'vdc' });
  await node.hypervisor.attachDevice(call(), neighbour);
  t.teardown(() => node.takeOut(neighbour));
  const source: DeviceSource = vm === 'vm1' ? await node.loop() : (await makeIscsiDisk(t, node.directory, sizeBytes)).source;
  const empty = vm === 'vm1' ? ['config vdc', 'live vdc'] : ['config vdc'];
  const full = vm === 'vm1' ? ['config vdb', 'config vdc', 'live vdb', 'live vdc'] : ['config vdb', 'config vdc'];
  return { node, vm, request: () => node.request(key, source), empty, full };
}

async function nothingIsLeft(t: ExecutionContext, { directory }: NodeFixture, what: string): Promise<void> {
  t.is((await guests().daemon.virsh('secret-list')).trim(), '', what);
  t.deepEqual(await readdir(join(directory, 'state/libvirt')), [], what);
}

const seen = async (name: 'vm1' | 'still'): Promise<void> => {
  if (name === 'vm1') await guests().disk('vm1', 'vdb');
};

for (const fault of faults) {
  for (const [vm, title] of [
    ['vm1', 'a running VM'],
    ['still', 'a stopped VM, with a CHAP secret'],
  ] as const) {
    test(`A7 › attachDevice to ${title} › an act that ${fault}: a repeat brings one disk in, and nothing leaks${why}`, async (t) => {
      const { full, empty, ...rest } = await scene(t, vm);
      await everywhere(t, {
        ...rest,
        fault,
        before: 'out',
        prepare: async () => undefined,
        act: (hypervisor, wanted) => hypervisor.attachDevice(call(), wanted),
        check: async (wanted, what) => {
          t.deepEqual(await disksOf(rest.node, vm), full, what);
          await seen(vm);
          await rest.node.takeOut(wanted);
          t.deepEqual(await disksOf(rest.node, vm), empty, what);
          await nothingIsLeft(t, rest.node, what);
        },
      });
    });
    test(`A7 › detachDevice of ${title} › an act that ${fault}: a repeat takes the disk out${why}`, async (t) => {
      const { empty, full: _full, ...rest } = await scene(t, vm);
      await everywhere(t, {
        ...rest,
        fault,
        before: 'in',
        prepare: async (wanted) => {
          await rest.node.hypervisor.attachDevice(call(), wanted);
          await seen(vm);
        },
        act: (hypervisor, wanted) => hypervisor.detachDevice(call(), wanted),
        check: async (_wanted, what) => {
          t.deepEqual(await disksOf(rest.node, vm), empty, what);
          await nothingIsLeft(t, rest.node, what);
        },
      });
    });
  }
}
