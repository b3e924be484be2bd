import { Lab, type XenGuest } from '@vbs/lab';
import test from 'ava';

let lab: Lab;
let dom0: XenGuest;
test.before(async (t) => {
  t.timeout(600_000);
  lab = await Lab.up({ guests: { vs1: 'storage', dom0: 'xen' } });
  dom0 = lab.xenGuest('dom0');
});
test.after.always(async () => await lab?.close());

const listed = (text: string): readonly string[] =>
  text
    .split('\n')
    .slice(1)
    .flatMap((line) => line.split(/\s+/)[0] || []);

test.serial('xen › in the clean state Dom0 and its first DomU run, and the DomU takes commands', async (t) => {
  const { stdout } = await dom0.run('xl', 'list');
  t.deepEqual(listed(stdout), ['Domain-0', 'domu1']);
  const said = await dom0.domu('domu1').run('hostname; cat /sys/hypervisor/type; echo complaint >&2; exit 3', { okExitCodes: [3] });
  t.deepEqual(said, { exitCode: 3, stdout: 'domu1\nxen\n', stderr: 'complaint\n' });
});

test.serial(
  'xen › Dom0 is a guest like the others: its name, its initiator, frames of 9000 bytes, the modules of both roads',
  async (t) => {
    const said = await dom0.script(`
    hostname; cat /etc/iscsi/initiatorname.iscsi; cat "/sys/class/net/$(cat /run/vbs-lab/storage-interface)/address"
    ping -c 1 -W 10 -M do -s 8972 vs1 >/dev/null
    ls -d /sys/module/aoe /sys/module/iscsi_tcp /sys/module/sd_mod`);
    t.deepEqual(said.trim().split('\n'), [
      'dom0',
      `InitiatorName=${dom0.initiatorName}`,
      dom0.mac,
      ...['/sys/module/aoe', '/sys/module/iscsi_tcp', '/sys/module/sd_mod'],
    ]);
  },
);

test.serial(
  "domu.run › tells a script's failure, one that is killed at its limit, and goes on; large scripts and outputs come whole",
  async (t) => {
    const domu = dom0.domu('domu1');
    await t.throwsAsync(domu.run('echo complaint >&2; exit 4'), { code: 'INTERNAL', message: /exit code 4: complaint/ });
    await t.throwsAsync(domu.run('sleep 100', { timeLimitMs: 1_000 }), { code: 'DEADLINE_EXCEEDED', message: /killed: its limit is 1 s/ });
    const text = `${'0123456789'.repeat(10)}\n`.repeat(100);
    const { stdout } = await domu.run(`cat <<'END'\n${text}END`);
    t.is(stdout, text);
  },
);

test.serial('xl block-attach › what the DomU writes is on the disk of Dom0, and a detach leaves nothing', async (t) => {
  const domu = dom0.domu('domu1');
  const [disk = ''] = (
    await dom0.script(`truncate -s 8M /tmp/disk; loop=$(losetup --find --show /tmp/disk); echo "$loop"; xl block-attach domu1 "phy:$loop" xvdb w
    for _ in {1..100}; do xl block-list domu1 | grep -q '^51728 *0 *[0-9]* *4 ' && break; sleep 0.1; done`)
  ).split('\n');
  const { stdout: written } = await domu.run('set -e; head -c 2m /dev/urandom >/dev/xvdb; sync; md5sum </dev/xvdb');
  t.is(await dom0.script(`blockdev --flushbufs ${disk}; md5sum <${disk}`), written);
  const left = await dom0.script(`xl block-detach domu1 xvdb; xl block-list domu1; losetup -d ${disk}; rm /tmp/disk`);
  t.deepEqual(listed(left), []);
  t.is((await domu.run('ls /dev | grep -c xvdb || true')).stdout, '0\n');
});

test.serial('iSCSI › what the DomU writes goes over Dom0 to the logical volume of vs1', async (t) => {
  const server = lab.guest('vs1');
  const target = 'iqn.2026-11.lab.vbs:xen1';
  const portal = `${server.address}:3260`;
  await server.script(`
    pvcreate -q ${server.diskPath}; vgcreate -q vg0 ${server.diskPath}; lvcreate -q -y -L 8M -n vol1 vg0
    tgtd; for _ in {1..100}; do tgtadm --lld iscsi --op show --mode target >/dev/null 2>&1 && break; sleep 0.1; done
    tgtadm --lld iscsi --op new --mode target --tid 1 -T ${target}
    tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b /dev/vg0/vol1
    tgtadm --lld iscsi --op bind --mode target --tid 1 -Q ${dom0.initiatorName}`);
  const disk = `/dev/disk/by-path/ip-${portal}-iscsi-${target}-lun-1`;
  await dom0.script(`
    iscsiadm -m discovery -t sendtargets -p ${portal}
    iscsiadm -m node -T ${target} -p ${portal} --login
    for _ in {1..200}; do [ -b ${disk} ] && break; sleep 0.05; done
    xl block-attach domu1 phy:${disk} xvdb w`);
  const domu = dom0.domu('domu1');
  const { stdout: written } = await domu.run(`
    for i in $(seq 50); do [ -b /dev/xvdb ] && break; usleep 100000; done
    set -e; head -c 2m /dev/urandom >/dev/xvdb; sync; md5sum </dev/xvdb`);
  await dom0.script(`xl block-detach domu1 xvdb; iscsiadm -m node -T ${target} -p ${portal} --logout`);
  t.is(await server.script('md5sum </dev/vg0/vol1'), written);
});

test.serial('AoE › Dom0 finds the export of vs1, whose bytes the DomU reads', async (t) => {
  await lab.fresh();
  const server = lab.guest('vs1');
  const written = await server.script(`
    { pvcreate -q ${server.diskPath}; vgcreate -q vg0 ${server.diskPath}; lvcreate -q -y -L 8M -n vol1 vg0; } >/dev/null
    head -c 8M /dev/urandom >/dev/vg0/vol1; sync; md5sum </dev/vg0/vol1
    setsid vblade -m ${dom0.mac.replaceAll(':', '')} 1 7 "$(cat /run/vbs-lab/storage-interface)" /dev/vg0/vol1 </dev/null >/tmp/vblade.log 2>&1 &`);
  const payload = await dom0.script(`
    aoe-interfaces "$(cat /run/vbs-lab/storage-interface)"
    for _ in {1..50}; do aoe-discover; [ -b /dev/etherd/e1.7 ] && break; sleep 0.2; done
    cat '/sys/block/etherd!e1.7/payload'; xl block-attach domu1 phy:/dev/etherd/e1.7 xvdb r`);
  t.true(Number(payload) > 8_000, payload);
  const { stdout: read } = await dom0.domu('domu1').run(`
    for i in $(seq 50); do [ -b /dev/xvdb ] && break; usleep 100000; done
    md5sum </dev/xvdb`);
  t.is(read, written);
  await dom0.script('xl block-detach domu1 xvdb; aoe-flush e1.7');
});

test.serial('domu › can be destroyed, started and rebooted, under another id each time; a second fits beside it', async (t) => {
  const domu = dom0.domu('domu1');
  const ids = [await domu.id()];
  await domu.destroy();
  t.is(await domu.id(), undefined);
  await t.throwsAsync(domu.run('true'), { code: 'NOT_FOUND' });
  await domu.start();
  ids.push(await domu.id());
  await domu.run('(sleep 1; reboot -f) >/dev/null 2>&1 &');
  await t.throwsAsync(
    async () => {
      for (let tries = 0; tries < 60; tries++) await domu.run('true', { timeLimitMs: 1_000 });
    },
    undefined,
    'it goes down',
  );
  await domu.ready();
  ids.push(await domu.id());
  t.is(new Set(ids).size, 3, ids.join(' '));
  t.regex(await domu.console(), /Restarting system[\s\S]*vbs-lab: DomU ready/);
  await dom0.domu('domu2').start();
  t.is((await dom0.domu('domu2').run('hostname')).stdout, 'domu2\n');
});

test.serial('fresh › the DomU has no disk of an earlier test, and what Dom0 draws is not what it drew before', async (t) => {
  await dom0.script('truncate -s 1M /tmp/left; xl block-attach domu1 "phy:$(losetup --find --show /tmp/left)" xvdc w');
  await lab.fresh();
  const facts = 'xl list | wc -l; xl block-list domu1 | tail -n +2; losetup -a; ls /tmp; cat /proc/sys/kernel/random/uuid';
  const first = (await dom0.script(facts)).trim().split('\n');
  t.deepEqual(first.slice(0, -1), ['3']);
  await dom0.fresh();
  t.not((await dom0.script(facts)).trim().split('\n').at(-1), first.at(-1));
});

test.serial('reboot › Dom0 keeps its name, and its DomUs have to be started', async (t) => {
  await dom0.reboot();
  t.deepEqual(listed((await dom0.run('xl', 'list')).stdout), ['Domain-0']);
  t.is((await dom0.run('hostname')).stdout, 'dom0\n');
  await dom0.domu('domu1').start();
  t.is((await dom0.domu('domu1').run('hostname')).stdout, 'domu1\n');
});

test.serial('xenGuest › a storage guest is none, and a DomU that has no configuration is told', (t) => {
  t.throws(() => lab.xenGuest('vs1'), { code: 'INVALID_ARGUMENT', message: /no Xen host/ });
  t.throws(() => dom0.domu('domu9'), { code: 'NOT_FOUND', message: /domu1, domu2/ });
});
