import { join } from 'node:path';
import type { Lab } from '@vbs/lab';
import { runTool } from '../harness/tools.js';
import type { Bench } from '../measurement.js';
import { node } from './scene.js';

const limitMs = 60_000;

/** Commands as an operator types them, one after another, each over the same kept connection of ssh. */
export class Typist {
  readonly #lab: Lab;
  readonly #bench: Bench;
  readonly #connected = new Set<string>();
  #typed = 0;

  constructor(lab: Lab, bench: Bench) {
    this.#lab = lab;
    this.#bench = bench;
  }

  /** How many commands were typed. */
  get typed(): number {
    return this.#typed;
  }

  async type(host: string, command: string): Promise<string> {
    this.#typed += 1;
    if (!this.#connected.has(host)) {
      this.#connected.add(host);
      this.#bench.cleanup.defer(`ending ssh to ${host}`, () => this.#ssh(host, ['-O', 'exit']));
    }
    return await this.#ssh(host, [], command);
  }

  async #ssh(host: string, options: readonly string[], ...command: string[]): Promise<string> {
    const { directory, signal } = this.#bench;
    const shared = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${join(directory, '%n')}`, '-o', 'ControlPersist=600'];
    return await runTool(['ssh', '-F', this.#lab.configFile, ...shared, ...options, host, ...command], { signal, limitMs });
  }
}

const control = 1;
const tgtadm = `TGT_IPC_SOCKET=/run/by-hand tgtadm -C ${control} --lld iscsi`;
const port = 3261;
const iqn = 'iqn.2026-11.lab.by-hand:one';
const user = 'operator';
const password = 'typed-by-hand-0';

/** A tgtd of the operator's own beside that of VBS. */
export async function startOwnTgtd(typist: Typist, address: string): Promise<void> {
  await typist.type('vs1', `TGT_IPC_SOCKET=/run/by-hand tgtd -C ${control} --iscsi portal=${address}:${port}`);
  await typist.type('vs1', `for i in $(seq 100); do ${tgtadm} --op show --mode target >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1`);
}

/** What brings an LV to a node with CHAP, an access list and an identity of its own. */
export async function attachByHand(typist: Typist, lab: Lab, path: string): Promise<void> {
  const target = `${tgtadm} --op new --mode target --tid 1 -T ${iqn}`;
  const portal = `${lab.guest('vs1').address}:${port}`;
  const record = `iscsiadm -m node -T ${iqn} -p ${portal}`;
  const update = (key: string, value: string): string => `${record} -o update -n node.session.auth.${key} -v ${value}`;
  for (const command of [
    target,
    `${tgtadm} --op new --mode account --user ${user} --password ${password}`,
    `${tgtadm} --op bind --mode account --tid 1 --user ${user}`,
    `${tgtadm} --op new --mode logicalunit --tid 1 --lun 1 -b ${path}`,
    `${tgtadm} --op update --mode logicalunit --tid 1 --lun 1 --params scsi_sn=byhand,scsi_id=byhand`,
    `${tgtadm} --op bind --mode target --tid 1 -Q ${lab.guest(node).initiatorName}`,
  ])
    await typist.type('vs1', command);
  const link = linkOf(portal);
  for (const command of [
    `${record} --op new`,
    update('authmethod', 'CHAP'),
    update('username', user),
    update('password', password),
    `${record} --login`,
    `until [ -e ${link} ]; do sleep 0.02; done`,
    `ln -s ${link} /run/vbs-vms/by-hand`,
  ])
    await typist.type(node, command);
}

export async function detachByHand(typist: Typist, lab: Lab): Promise<void> {
  const portal = `${lab.guest('vs1').address}:${port}`;
  const device = `$(readlink -f ${linkOf(portal)})`;
  for (const command of [
    'rm /run/vbs-vms/by-hand',
    `d=${device}; blockdev --flushbufs $d && echo 1 >/sys/block/$(basename $d)/device/delete`,
    `iscsiadm -m node -T ${iqn} -p ${portal} --logout`,
    `iscsiadm -m node -T ${iqn} -p ${portal} --op delete`,
  ])
    await typist.type(node, command);
  for (const command of [
    `${tgtadm} --op unbind --mode target --tid 1 -Q ${lab.guest(node).initiatorName}`,
    `${tgtadm} --op delete --mode target --tid 1`,
    `${tgtadm} --op delete --mode account --user ${user}`,
  ])
    await typist.type('vs1', command);
}

const linkOf = (portal: string): string => `/dev/disk/by-path/ip-${portal}-iscsi-${iqn}-lun-1`;
