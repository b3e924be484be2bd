import { type InitiatorTarget, initiatorConformance, type NodeDevice, type Surroundings, type TargetOptions } from '@vbs/conformance';
import { type ConnectionInfo, Secret } from '@vbs/core';
import { type Guest, Lab } from '@vbs/lab';
import iscsiPlugin from '@vbs/plugin-iscsi';
import test from 'ava';

let lab: Lab;
test.before(async () => {
  lab = await Lab.up({ guests: ['vs1', 'node1'] });
});
test.after.always(async () => await lab?.close());

const server = (): Guest => lab.guest('vs1');
const node = (): Guest => lab.guest('node1');
const password = 'labsecret123456';
let drawn = 0;

/** Reads and writes a file or device of a guest. Nothing is made where there is none. */
function bytesOf(guest: () => Guest, path: string): Pick<NodeDevice, 'read' | 'write'> {
  return {
    read: async (offset, length) => {
      const dd = `dd if='${path}' bs=1M iflag=skip_bytes,count_bytes,fullblock skip=${offset} count=${length} status=none`;
      return Buffer.from(await guest().script(`set -o pipefail; ${dd} | base64 -w0`), 'base64');
    },
    write: async (offset, bytes) => {
      const dd = `dd of='${path}' bs=1M iflag=fullblock oflag=seek_bytes seek=${offset} conv=notrunc,nocreat status=none`;
      const input = Buffer.from(bytes).toString('base64');
      await guest().script(`set -o pipefail; test -e '${path}'; base64 -d | ${dd}`, { input });
    },
  };
}

type LabTarget = InitiatorTarget<'iscsi'> & { readonly number: number; luns: number };

/** The arguments by which one of the tgtds of vs1 is spoken to: each target has its own, so that one alone can die. */
const adm = (number: number): string => `tgtadm -C ${number} --lld iscsi`;

async function makeTarget({ sizeBytes, access, initiators }: TargetOptions, beside?: LabTarget): Promise<LabTarget> {
  const number = beside?.number ?? ++drawn;
  const serial = `vol${String(++drawn).padStart(17, '0')}`;
  const iqn = `iqn.2009-11.edu.iu.vbs:lab:${number}`;
  const lun = (beside?.luns ?? 0) + 1;
  const file = `/tmp/${serial}.img`;
  const portal = `${server().address}:${4000 + number}`;
  if (beside === undefined) {
    await server().script(`
      setsid tgtd -f -C ${number} -t 1 --iscsi portal=${portal} </dev/null >/tmp/tgtd-${number}.log 2>&1 &
      echo $! >/tmp/tgtd-${number}.pid
      for i in $(seq 200); do ${adm(number)} --op show --mode target >/dev/null 2>&1 && break; sleep 0.05; done
      ${adm(number)} --op new --mode target --tid ${number} -T ${iqn}
      ${adm(number)} --op new --mode account --user lab --password ${password}
      ${adm(number)} --op bind --mode account --tid ${number} --user lab
      ${initiators.map((name) => `${adm(number)} --op bind --mode target --tid ${number} -Q ${name}`).join('\n')}`);
  } else beside.luns += 1;
  await server().script(`
    truncate -s ${sizeBytes} ${file}
    ${adm(number)} --op new --mode logicalunit --tid ${number} --lun ${lun} -b ${file}
    ${adm(number)} --op update --mode logicalunit --tid ${number} --lun ${lun} --params scsi_sn=${serial},scsi_id=${serial},readonly=${access === 'read-only' ? 1 : 0}`);
  const signal = async (name: string): Promise<void> => void (await server().script(`kill -${name} $(cat /tmp/tgtd-${number}.pid)`));
  const connection: ConnectionInfo<'iscsi'> = {
    protocol: 'iscsi',
    key: `${iqn}/${lun}`,
    portals: [portal],
    iqn,
    lun,
    serial,
    chap: { user: 'lab', password: new Secret(password) },
  };
  return {
    number,
    luns: lun,
    connection,
    bytes: bytesOf(server, file),
    grow: async (size) => {
      const lu = `${adm(number)} --op update --mode logicalunit --tid ${number} --lun ${lun} --params`;
      await server().script(`truncate -s ${size} ${file}; ${lu} online=0; ${lu} path=${file}; ${lu} online=1`);
    },
    stop: () => signal('STOP'),
    start: () => signal('CONT'),
    refuse: async () => {
      const unbind = initiators.map((name) => `${adm(number)} --op unbind --mode target --tid ${number} -Q ${name}`);
      await server().script(`${unbind.join('\n')}\n${adm(number)} --op bind --mode target --tid ${number} -Q iqn.2001-01.org.other:node`);
    },
    remove: async () => {
      await server().script(`kill -KILL $(cat /tmp/tgtd-${number}.pid) 2>/dev/null || true; rm -f ${file}`);
    },
  };
}

const deviceOf = async (_surroundings: Surroundings, path: string): Promise<NodeDevice> => ({
  ...bytesOf(node, path),
  sizeBytes: Number(await node().script(`blockdev --getsize64 '${path}'`)),
  flush: async () => void (await node().script(`sync '${path}'; blockdev --flushbufs '${path}'`)),
});

const hold = async (_surroundings: Surroundings, path: string): Promise<() => Promise<void>> => {
  const pid = (await node().script(`setsid sleep 600 <'${path}' >/dev/null 2>&1 & echo $!`)).trim();
  return async () => void (await node().script(`kill ${pid}`));
};

initiatorConformance(test.serial, iscsiPlugin, {
  label: 'iscsi in a guest with the real open-iscsi',
  config: () => ({}),
  machine: () => node().machine,
  makeTarget: (_surroundings, options) => makeTarget(options),
  makeBeside: (_surroundings, first, options) => makeTarget(options, first as LabTarget),
  device: deviceOf,
  hold,
  // A guest's processor is slow, and each of these bytes goes through its shell.
  sizeBytes: 256 * 1024,
  atOnce: 8,
  timeLimitMs: 180_000,
  settleLimitMs: 15_000,
});
