import { Lab } from '@vbs/lab';
import test from 'ava';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up();
});
test.after.always(async () => await lab?.close());

test.serial('guests › each has an identity of its own', async (t) => {
  const facts = await Promise.all(
    lab.guests.map(async (guest) =>
      (
        await guest.script(
          'hostname; cat /etc/machine-id; cat /proc/sys/kernel/random/boot_id; cat /etc/iscsi/initiatorname.iscsi; cat /proc/sys/kernel/random/uuid',
        )
      ).split('\n'),
    ),
  );
  t.deepEqual(
    facts.map(([name]) => name),
    ['vs1', 'node1', 'node2'],
  );
  t.deepEqual(
    facts.map((lines) => lines[3]),
    lab.guests.map(({ initiatorName }) => `InitiatorName=${initiatorName}`),
  );
  for (const line of [1, 2, 4]) t.is(new Set(facts.map((lines) => lines[line])).size, 3, facts.map((lines) => lines[line]).join(' '));
});

test.serial('guests › the clock is that of this machine', async (t) => {
  const before = Date.now() / 1_000;
  const { stdout } = await lab.guest('node1').run('date', '+%s');
  t.true(Math.abs(Number(stdout) - before) < 20, stdout);
});

test.serial('guests › a command is given its words as they are', async (t) => {
  const words = ['a b', '$HOME', "it's", '"q"', '*', ''];
  const { stdout } = await lab.guest('vs1').run('printf', '<%s>\n', ...words);
  t.is(stdout, words.map((word) => `<${word}>\n`).join(''));
});

test.serial('network › guests reach each other by name, with frames of 9000 bytes, and nothing outside', async (t) => {
  const said = await lab.guest('node2').script(`
    ping -c 1 -W 10 vs1 >/dev/null
    ping -c 1 -W 10 -M do -s 8972 node1 >/dev/null
    ip route show default
    if ping -c 1 -W 1 192.0.2.1 >/dev/null 2>&1; then echo outside; fi`);
  t.is(said, '');
});

test.serial('network › two labs do not hear each other', async (t) => {
  const other = await Lab.up({ guests: ['vs1', 'node1'] });
  t.teardown(() => other.close());
  t.not(other.name, lab.name);
  const here = await lab.guest('node2').run('ping', '-c', '1', '-W', '10', 'vs1');
  t.is(here.exitCode, 0);
  // Its number 3 is in this lab alone.
  await t.throwsAsync(other.guest('vs1').run('ping', '-c', '2', '-W', '2', lab.guest('node2').address), {
    message: /failed with exit code 1/,
  });
});

test.serial('iSCSI › what node1 writes over tgt is on the logical volume of vs1', async (t) => {
  await lab.fresh();
  const [server, node] = [lab.guest('vs1'), lab.guest('node1')];
  const target = 'iqn.2026-11.lab.vbs:vol1';
  const portal = `${server.address}:3260`;
  await server.script(`
    pvcreate -q ${server.diskPath}; vgcreate -q vg0 ${server.diskPath}; lvcreate -q -y -L 100M -n vol1 vg0
    tgtd; for _ in {1..100}; do tgtadm --lld iscsi --op show --mode target >/dev/null 2>&1 && break; sleep 0.1; done
    tgtadm --lld iscsi --op new --mode target --tid 1 -T ${target}
    tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b /dev/vg0/vol1
    tgtadm --lld iscsi --op new --mode account --user labuser --password labsecret123
    tgtadm --lld iscsi --op bind --mode account --tid 1 --user labuser
    tgtadm --lld iscsi --op bind --mode target --tid 1 -I ${node.address}`);
  const login = `
    iscsiadm -m discovery -t sendtargets -p ${portal}
    for pair in authmethod=CHAP username=labuser password=$PASSWORD; do
      iscsiadm -m node -T ${target} -p ${portal} --op update -n "node.session.auth.\${pair%%=*}" -v "\${pair#*=}"
    done
    iscsiadm -m node -T ${target} -p ${portal} --login`;
  await t.throwsAsync(node.script(`PASSWORD=wrongwrong12; ${login}`), { message: /exit code 24/ }, 'a wrong secret is refused');
  const disk = `/dev/disk/by-path/ip-${portal}-iscsi-${target}-lun-1`;
  const written = await node.script(`PASSWORD=labsecret123; { ${login}; } >/dev/null
    for _ in {1..200}; do [ -b ${disk} ] && break; sleep 0.05; done
    mkfs.ext4 -q -F ${disk}; mount ${disk} /mnt; head -c 1M /dev/urandom >/mnt/file; sync; md5sum </mnt/file; umount /mnt
    iscsiadm -m node -T ${target} -p ${portal} --logout >/dev/null`);
  const found = await server.script('mount -o ro /dev/vg0/vol1 /mnt; md5sum </mnt/file; umount /mnt');
  t.is(found, written);
});

test.serial('AoE › what node2 reads over vblade is what the logical volume of vs1 holds', async (t) => {
  await lab.fresh();
  const [server, node] = [lab.guest('vs1'), lab.guest('node2')];
  const written = await server.script(`
    { pvcreate -q ${server.diskPath}; vgcreate -q vg0 ${server.diskPath}; lvcreate -q -y -L 16M -n vol1 vg0; } >/dev/null
    head -c 16M /dev/urandom >/dev/vg0/vol1; sync; md5sum </dev/vg0/vol1
    interface=$(cat /run/vbs-lab/storage-interface)
    setsid vblade -m ${node.mac.replaceAll(':', '')} 1 7 "$interface" /dev/vg0/vol1 </dev/null >/tmp/vblade.log 2>&1 &`);
  const read = await node.script(`
    aoe-interfaces "$(cat /run/vbs-lab/storage-interface)"
    for _ in {1..50}; do aoe-discover; [ -b /dev/etherd/e1.7 ] && break; sleep 0.2; done
    md5sum </dev/etherd/e1.7; cat '/sys/block/etherd!e1.7/payload' >&2`);
  t.is(read, written);
  const masked = await lab.guest('node1').script('aoe-discover; sleep 2; ls /dev/etherd | grep -c e1.7 || true');
  t.is(masked, '0\n', 'the mask keeps node1 away');
  await node.script('aoe-flush e1.7');
});

test.serial('fresh › nothing of a test is left for the next', async (t) => {
  const server = lab.guest('vs1');
  await lab.fresh();
  await server.script(`
    pvcreate -q ${server.diskPath}; vgcreate -q vg0 ${server.diskPath}; lvcreate -q -y -L 8M -n left vg0
    touch /etc/left /var/lib/vbs/left; echo left >/etc/iscsi/left`);
  await lab.fresh();
  const left = await server.script(
    'pvs --noheadings; ls /etc/left /dev/vg0 /var/lib/vbs/left /etc/iscsi/left 2>/dev/null || true; head -c 1M /dev/vdb | tr -d "\\0" | wc -c',
  );
  t.is(left, '0\n');
});

test.serial('reboot › the guest keeps its disks and its name, and its boot id is another', async (t) => {
  const server = lab.guest('vs1');
  const facts =
    'hostname; cat /etc/machine-id /etc/iscsi/initiatorname.iscsi; cat /var/lib/vbs/kept /etc/iscsi/kept; blkid -o value -s UUID /dev/vg1/kept';
  await server.script(`
    pvcreate -q -ff -y ${server.diskPath}; vgcreate -q vg1 ${server.diskPath}; lvcreate -q -y -L 8M -n kept vg1
    mkfs.ext4 -q /dev/vg1/kept; echo state >/var/lib/vbs/kept; echo node >/etc/iscsi/kept; touch /etc/lost`);
  const [before, bootBefore] = [await server.script(facts), await server.run('cat', '/proc/sys/kernel/random/boot_id')];
  await server.reboot();
  const [after, bootAfter] = [await server.script(facts), await server.run('cat', '/proc/sys/kernel/random/boot_id')];
  t.is(after, before);
  t.not(bootAfter.stdout, bootBefore.stdout);
  t.is(await server.script('ping -c 1 -W 10 node1 >/dev/null; ls /etc/lost 2>/dev/null || true'), '');
});

test.serial('kill › a guest that is gone is told with its console, and can be started again with its disk', async (t) => {
  const node = lab.guest('node2');
  await node.script(`echo bytes >${node.diskPath}; sync`);
  await node.kill();
  t.is(node.pid, undefined);
  await t.throwsAsync(node.run('true'), {
    code: 'UNAVAILABLE',
    message: /The guest node2 does not run[\s\S]*console[\s\S]*vbs-lab: this is node2/,
  });
  await node.start();
  t.is(await node.script(`hostname; head -n 1 ${node.diskPath}`), 'node2\nbytes\n');
});
