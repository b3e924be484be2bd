import { readFile, truncate } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { refuses } from './expect-code.js';
import { aCall, aSandbox, MiB, place } from './fixture.js';

test('a stopped VM › takes a disk, and connects to it when it starts', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('off');
  await hypervisor.attachDevice(aCall(), disk);
  t.deepEqual(vm('off').devices(), ['xvdb']);
  t.deepEqual((await exports.exporter.listExports(aCall()))[0]?.sessions, []);
  await refuses(t, 'FAILED_PRECONDITION', vm('off').disk('xvdb').read(0, 1));
  await vm('off').start();
  t.true(vm('off').running);
  t.is((await vm('off').disk('xvdb').read(0, 1)).length, 1);
});

test('a stopped VM › gives a disk back without having used it', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('off');
  await hypervisor.attachDevice(aCall(), disk);
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
  t.deepEqual(vm('off').devices(), []);
});

test('a stopped VM › gives back a disk that its guest held', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('off');
  await hypervisor.attachDevice(aCall(), disk);
  await vm('off').hold('xvdb');
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
});

test('a VM that stops › keeps its disks and what was written, and lets the exports’ sessions end', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await vm('vm1').disk('xvdb').write(0, Buffer.from('kept'));
  await vm('vm1').stop();
  await vm('vm1').stop();
  t.is((await readFile(disk.path)).subarray(0, 4).toString(), 'kept');
  t.deepEqual((await exports.exporter.listExports(aCall()))[0]?.sessions, []);
  await vm('vm1').start();
  await vm('vm1').start();
  t.is((await vm('vm1').disk('xvdb').read(0, 4)).toString(), 'kept');
});

test('a VM › does not start without one of its disks, and lets the others go', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [there, missing] = [await exports.disk('off', 'xvdb'), await exports.disk('off', 'xvdc')];
  for (const disk of [there, missing]) await hypervisor.attachDevice(aCall(), disk);
  await exports.exporter.deleteExport(aCall(), missing);
  await refuses(t, 'NOT_FOUND', vm('off').start());
  t.false(vm('off').running);
  t.deepEqual((await exports.exporter.listExports(aCall()))[0]?.sessions, []);
  await hypervisor.detachDevice(aCall(), place(missing));
  await vm('off').start();
  t.true(vm('off').running);
});

test('close › shuts the VMs down: what was written is in the volumes, and nobody is connected', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [lost, kept] = [await exports.disk('vm1'), await exports.disk('vm2')];
  for (const disk of [lost, kept]) await hypervisor.attachDevice(aCall(), disk);
  await vm('vm2').disk('xvdb').write(0, Buffer.from('kept'));
  await exports.exporter.revokeAccess(aCall(), lost);
  await hypervisor.close?.();
  t.is((await readFile(kept.path)).subarray(0, 4).toString(), 'kept');
  t.deepEqual(
    (await exports.exporter.listExports(aCall())).flatMap(({ sessions }) => sessions),
    [],
  );
});

test('freezeVm › makes what was written durable and holds back writes and flushes, not reads, until thawVm', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [disk, other] = [await exports.disk('vm1'), await exports.disk('vm2')];
  for (const each of [disk, other]) await hypervisor.attachDevice(aCall(), each);
  const guest = vm('vm1').disk('xvdb');
  await guest.write(0, Buffer.from('first'));
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  t.is((await readFile(disk.path)).subarray(0, 5).toString(), 'first');
  let done = 0;
  const waiting = [guest.write(0, Buffer.from('later')), guest.flush()].map((act) => act.then(() => (done += 1)));
  await vm('vm2').disk('xvdb').write(0, Buffer.from('other'));
  await pause(50);
  t.is(done, 0);
  t.is((await guest.read(0, 5)).toString(), 'first');
  await hypervisor.thawVm(aCall(), { vm: 'vm1' });
  await Promise.all(waiting);
  t.is((await guest.read(0, 5)).toString(), 'later');
  await t.notThrowsAsync(hypervisor.thawVm(aCall(), { vm: 'vm1' }));
});

test('freezeVm › ends by itself at its limit', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  await hypervisor.attachDevice(aCall(), await exports.disk());
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 50 });
  await t.notThrowsAsync(vm('vm1').disk('xvdb').write(0, Buffer.from('later')));
});

for (const limitMs of [0, -1, 1.5, 2 ** 31, Number.NaN])
  test(`freezeVm › refuses a limit of ${limitMs} ms, and holds nothing back`, async (t) => {
    const { exports, hypervisor, vm } = await aSandbox(t);
    await hypervisor.attachDevice(aCall(), await exports.disk());
    await refuses(t, 'OUT_OF_RANGE', hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs }));
    await t.notThrowsAsync(vm('vm1').disk('xvdb').write(0, Buffer.from('goes on')));
  });

test('freezeVm › does not stay when a disk cannot be flushed', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const [gone, there] = [await exports.disk('vm1', 'xvdb'), await exports.disk('vm1', 'xvdc')];
  for (const disk of [gone, there]) await hypervisor.attachDevice(aCall(), disk);
  await exports.exporter.revokeAccess(aCall(), gone);
  await refuses(t, 'UNAVAILABLE', hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 }));
  await t.notThrowsAsync(vm('vm1').disk('xvdc').write(0, Buffer.from('goes on')));
});

test('freezeVm › does not keep a disk from being detached; what waits then fails', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  const waiting = refuses(t, 'NOT_FOUND', vm('vm1').disk('xvdb').write(0, Buffer.from('late')));
  t.deepEqual(await hypervisor.detachDevice(aCall(), place(disk)), { result: 'detached' });
  await hypervisor.thawVm(aCall(), { vm: 'vm1' });
  await waiting;
  t.is((await readFile(disk.path)).subarray(0, 4).toString(), '\0\0\0\0');
});

test('freezeVm › holds back so many requests, and no more', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  await hypervisor.attachDevice(aCall(), await exports.disk());
  await hypervisor.freezeVm(aCall(), { vm: 'vm1', limitMs: 60_000 });
  const guest = vm('vm1').disk('xvdb');
  const waiting = Array.from({ length: 1024 }, () => guest.flush());
  await refuses(t, 'RESOURCE_EXHAUSTED', guest.flush());
  await hypervisor.thawVm(aCall(), { vm: 'vm1' });
  await t.notThrowsAsync(Promise.all(waiting));
});

test('freezeVm, thawVm › refuse a VM that the node does not have', async (t) => {
  const { hypervisor } = await aSandbox(t);
  await refuses(t, 'NOT_FOUND', hypervisor.freezeVm(aCall(), { vm: 'vm9', limitMs: 60_000 }));
  await refuses(t, 'NOT_FOUND', hypervisor.thawVm(aCall(), { vm: 'vm9' }));
});

test('extendDevice › shows the guest the new size while it reads and writes', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  const guest = vm('vm1').disk('xvdb');
  const sizeBytes = 16 * MiB;
  await truncate(disk.path, sizeBytes);
  await exports.exporter.extendExport(aCall(), { exportId: disk.exportId, volume: { ...disk.volume, sizeBytes } });
  const busy = Array.from({ length: 32 }, (_, index) => guest.write(index * 4096, Buffer.alloc(4096, index + 1)));
  await refuses(t, 'OUT_OF_RANGE', guest.read(8 * MiB, 1));
  const extending = new AbortController();
  const reading = (async () => {
    let reads = 0;
    for (; reads < 100_000 && !extending.signal.aborted; reads += 1) await guest.read(4 * MiB, 512);
    return reads;
  })();
  for (let time = 0; time < 2; time += 1) {
    t.deepEqual(await hypervisor.extendDevice(aCall(), { ...place(disk), sizeBytes }), { sizeBytes });
  }
  extending.abort();
  t.true((await reading) > 0);
  await Promise.all(busy);
  t.is(guest.sizeBytes, sizeBytes);
  await guest.write(sizeBytes - 3, Buffer.from('end'));
  t.is((await guest.read(sizeBytes - 3, 3)).toString(), 'end');
  for (let index = 0; index < 32; index += 1) t.true((await guest.read(index * 4096, 4096)).equals(Buffer.alloc(4096, index + 1)));
  t.is((await exports.exporter.listExports(aCall()))[0]?.sessions?.length, 1);
});

test('extendDevice › of a stopped VM shows the new size when it starts', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk('off');
  await hypervisor.attachDevice(aCall(), disk);
  const sizeBytes = 16 * MiB;
  await truncate(disk.path, sizeBytes);
  await exports.exporter.extendExport(aCall(), { exportId: disk.exportId, volume: { ...disk.volume, sizeBytes } });
  t.deepEqual(await hypervisor.extendDevice(aCall(), { ...place(disk), sizeBytes }), { sizeBytes });
  await vm('off').start();
  t.is(vm('off').disk('xvdb').sizeBytes, sizeBytes);
});

test('extendDevice › answers the size that the guest sees when the export has not grown', async (t) => {
  const { exports, hypervisor, vm } = await aSandbox(t);
  const disk = await exports.disk();
  await hypervisor.attachDevice(aCall(), disk);
  t.deepEqual(await hypervisor.extendDevice(aCall(), { ...place(disk), sizeBytes: 16 * MiB }), { sizeBytes: 8 * MiB });
  t.is(vm('vm1').disk('xvdb').sizeBytes, 8 * MiB);
});

test('extendDevice › refuses an absent disk and a slot that holds another', async (t) => {
  const { exports, hypervisor } = await aSandbox(t);
  const [one, two] = [await exports.disk(), await exports.disk()];
  await refuses(t, 'NOT_FOUND', hypervisor.extendDevice(aCall(), { ...place(one), sizeBytes: 16 * MiB }));
  await hypervisor.attachDevice(aCall(), one);
  await refuses(t, 'FAILED_PRECONDITION', hypervisor.extendDevice(aCall(), { ...place(two), sizeBytes: 16 * MiB }));
});
