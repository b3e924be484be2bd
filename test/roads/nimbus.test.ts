import type { BlockStore } from '@vbs/core';
import test, { type ExecutionContext } from 'ava';
import type { Tool } from '../stand-ins/frame/tool.js';
import { NimbusWorld } from '../stand-ins/nimbus/nimbus-admin.js';
import type { XenWorld } from '../stand-ins/xen/world.js';
import { bytesOf } from './support/faulty-road.js';
import { Road, volumeBytes } from './support/road.js';
import { XenVms } from './support/xen-vms.js';

const wait = { wait: true } as const;
const [here, there] = ['node1.example.org', 'node2.example.org'];

interface Cloud {
  readonly road: Road;
  readonly store: BlockStore;
  readonly xen: XenWorld;
  readonly nimbus: NimbusWorld;
  readonly volumeId: string;
  /** What happens when nimbus-admin is run: before it lists, and after. */
  readonly meanwhile: { before?: () => void; after?: () => void };
  /** Into xvdb of instance 4. */
  attach(): Promise<unknown>;
  /** That the volume is free, the neighbour's disk as it was, and nothing of this volume left. */
  requireTakenBack(): Promise<void>;
}

/** Nimbus's instances 4 and 5 on one Xen host; a disk is in 5's DomU, and a volume at hand for 4. */
async function aCloud(t: ExecutionContext): Promise<Cloud> {
  const nimbus = new NimbusWorld();
  for (const id of ['4', '5']) nimbus.put(id, here, 'Running');
  const meanwhile: Cloud['meanwhile'] = {};
  const list: Tool = async (run) => {
    meanwhile.before?.();
    const told = await nimbus.tools['nimbus-admin']?.(run);
    meanwhile.after?.();
    return told ?? { exitCode: 127 };
  };
  const made: XenVms[] = [];
  const road = await Road.make(t, 'LVM → IET → iSCSI → Xen', {
    nimbus: { 'nimbus-admin': list },
    makeVms(root, tools) {
      made.push(new XenVms(root, tools, ['wrksp-4', 'wrksp-5']));
      return made[0] as XenVms;
    },
  });
  const { world: xen } = made[0] as XenVms;
  const store = await road.open();
  t.teardown(() => store.close());
  const { id: neighbourId } = await store.createVolume({ size: volumeBytes }, wait);
  await store.attachVolume({ volumeId: neighbourId, instanceId: '5', device: 'xvdb' }, wait);
  await road.disk('xvdb', 'wrksp-5').write(0, bytesOf(neighbourId));
  const { id: volumeId } = await store.createVolume({ size: volumeBytes }, wait);
  const before = road.leftovers();
  return {
    road,
    store,
    xen,
    nimbus,
    volumeId,
    meanwhile,
    attach: () => store.attachVolume({ volumeId, instanceId: '4', device: 'xvdb' }, wait),
    async requireTakenBack() {
      t.is((await store.describeVolumes({ ids: [volumeId] })).items[0]?.state, 'available');
      t.deepEqual(road.leftovers(), before);
      t.true((await road.bytes('xvdb', 'wrksp-5')).equals(bytesOf(neighbourId)));
    },
  };
}

const title = (what: string): string => `road LVM → IET → iSCSI → Xen below Nimbus, on stand-in tools › ${what}`;

test(title('a volume that is attached by instance id is a disk of the DomU wrksp-<id>'), async (t) => {
  const { road, store, volumeId, attach, requireTakenBack } = await aCloud(t);
  t.like(await attach(), { vmmHost: 'node1', vmId: 'wrksp-4', device: 'xvdb', state: 'attached' });
  await road.disk('xvdb', 'wrksp-4').write(0, bytesOf(volumeId));
  await store.detachVolume({ volumeId }, wait);
  await requireTakenBack();
  t.like(await attach(), { vmId: 'wrksp-4' });
  t.true((await road.bytes('xvdb', 'wrksp-4')).equals(bytesOf(volumeId)));
});

test(title('an instance that moves to another host during an attach is noticed, and the disk taken out of its DomU'), async (t) => {
  const { xen, nimbus, meanwhile, attach, requireTakenBack } = await aCloud(t);
  const disks = (): number => xen.disksOf(xen.named('wrksp-4').id).length;
  let mostDisks = 0;
  meanwhile.before = () => {
    mostDisks = Math.max(mostDisks, disks());
    if (disks() > 0) nimbus.put('4', there, 'Running');
  };
  t.like(await t.throwsAsync(attach(), { code: 'FAILED_PRECONDITION' }), { context: { reason: 'instance-moved', instanceId: '4' } });
  t.is(mostDisks, 1, 'it was there when Nimbus was asked again');
  t.is(disks(), 0);
  await requireTakenBack();
});

test(title('an instance whose DomU has left its host between resolve and attach gets no disk, and nothing is left'), async (t) => {
  const { road, xen, nimbus, meanwhile, attach, requireTakenBack } = await aCloud(t);
  meanwhile.after = () => {
    if (nimbus.vms.get('4')?.node === there) return;
    xen.destroy('wrksp-4');
    nimbus.put('4', there, 'Running');
  };
  t.like(await t.throwsAsync(attach(), { code: 'NOT_FOUND' }), { context: { vm: 'wrksp-4' } });
  await requireTakenBack();
  t.false(road.ran.some(({ words }) => words.includes('block-attach') && words.includes('wrksp-4')));
});
