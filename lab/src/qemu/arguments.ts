import type { GuestKind } from '../kinds.js';
import { imageFiles, imageLink } from '../paths.js';

const inImage = (file: keyof typeof imageFiles): string => `${imageLink}/${imageFiles[file]}`;

const linuxWords = 'panic=0 quiet mitigations=off';

/**
 * Dom0's share is fixed, so that what is left is its DomUs'. spec-ctrl: emulation has nothing to leak, and without eager-fpu vector registers
 * get lost between domains. no-real-mode: the multiboot loader is no BIOS. noreboot: a crash stays on the console.
 */
const xenWords = [
  ...['console=com1', 'com1=115200,8n1', 'loglvl=warning', 'guest_loglvl=warning'],
  ...['dom0_mem=320M,max:320M', 'dom0_max_vcpus=1', 'no-real-mode', 'noreboot', 'spec-ctrl=no,eager-fpu', 'xpti=no'],
].join(' ');

/** What a kind of guest is started from. For Xen QEMU's multiboot loader takes Dom0's kernel and initrd as modules, with commas between. */
const shapes: Readonly<Record<GuestKind, readonly string[]>> = {
  storage: [
    ...['-machine', 'pc', '-cpu', 'qemu64', '-smp', '1', '-m', '512'],
    ...['-kernel', inImage('kernel'), '-initrd', inImage('initrd'), '-append', `console=ttyS0 ${linuxWords}`],
  ],
  xen: [
    // With more than Westmere has (SMAP) Dom0 crashes under emulation.
    ...['-machine', 'q35', '-cpu', 'Westmere', '-smp', '1', '-m', '768'],
    ...['-kernel', inImage('hypervisor'), '-append', xenWords],
    ...['-initrd', `${inImage('kernel')} console=hvc0 ${linuxWords},${inImage('initrd')}`],
  ],
};

/** A machine as every guest of a kind is; a saved state fits only the same. tb-size: without it QEMU grows to three times the guest's memory. */
export function machineArguments(kind: GuestKind): readonly string[] {
  return [
    ...['-accel', 'tcg,thread=multi,tb-size=128', ...shapes[kind]],
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-device', 'virtio-rng-pci', '-device', 'vmgenid,guid=auto'],
    ...['-device', 'virtio-blk-pci,drive=root,serial=labroot'],
    ...['-device', 'virtio-blk-pci,drive=data,serial=labdata'],
    ...['-device', 'virtio-blk-pci,drive=state,serial=labstate'],
    // The addresses are those of the saved state: a guest sets its own.
    ...['-device', 'virtio-net-pci,netdev=control,mac=52:54:00:00:00:01,romfile='],
    ...['-device', 'virtio-net-pci,netdev=storage,mac=52:54:00:01:00:01,romfile='],
  ];
}

/** Names of files in the folder of a running guest, which is QEMU's working folder. */
export const guestFiles = { data: 'data.img', state: 'state.img', console: 'console.log', said: 'qemu.log', qmp: 'qmp.sock' } as const;

/** The network of one lab: a multicast group on the loopback, which other labs do not hear. */
export interface Segment {
  readonly group: string;
  readonly port: number;
}

export interface GuestMachine {
  readonly name: string;
  readonly kind: GuestKind;
  /** The folder of the image. */
  readonly image: string;
  readonly sshPort: number;
  readonly segment: Segment;
}

/** QEMU's arguments for a guest, in whose folder it works; `incoming`: from the saved state on descriptor 3. */
export function qemuArguments({ name, kind, sshPort, segment }: GuestMachine, incoming: boolean): readonly string[] {
  const disk = (id: string, path: string, more: string): readonly string[] => [
    '-drive',
    `if=none,id=${id},format=raw,cache=unsafe,${more},file=${path}`,
  ];
  return [
    ...['-name', `vbs-lab-${name}`],
    ...machineArguments(kind),
    ...['-chardev', `file,id=console,append=on,path=${guestFiles.console}`, '-serial', 'chardev:console'],
    ...disk('root', inImage('root'), 'readonly=on'),
    ...disk('data', guestFiles.data, 'discard=unmap'),
    ...disk('state', guestFiles.state, 'discard=unmap'),
    ...['-netdev', `user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-10.0.2.15:22`],
    ...['-netdev', `socket,id=storage,mcast=${segment.group}:${segment.port},localaddr=127.0.0.1`],
    ...['-qmp', `unix:${guestFiles.qmp},server=on,wait=off`],
    ...(incoming ? ['-incoming', 'fd:3'] : []),
  ];
}
