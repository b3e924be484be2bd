import { imageFiles } from '../paths.js';

/** A machine as every guest is; a saved state fits only the same. tb-size: without it QEMU grows to three times the guest's memory. */
export const machineArguments: readonly string[] = [
  ...['-accel', 'tcg,thread=multi,tb-size=128', '-machine', 'pc', '-cpu', 'qemu64', '-smp', '1', '-m', '512'],
  ...['-nodefaults', '-no-user-config', '-display', 'none'],
  ...['-append', 'console=ttyS0 panic=0 quiet mitigations=off'],
  ...['-device', 'virtio-rng-pci', '-device', 'vmgenid,guid=auto'],
  ...['-device', 'virtio-blk-pci,drive=root,serial=labroot'],
  ...['-device', 'virtio-blk-pci,drive=data,serial=labdata'],
  ...['-device', 'virtio-blk-pci,drive=state,serial=labstate'],
  // The addresses are those of the saved state: a guest sets its own.
  ...['-device', 'virtio-net-pci,netdev=control,mac=52:54:00:00:00:01,romfile='],
  ...['-device', 'virtio-net-pci,netdev=storage,mac=52:54:00:01:00:01,romfile='],
];

/** Names of files in the folder of a running guest, which is QEMU's working folder. */
export const guestFiles = { data: 'data.img', state: 'state.img', console: 'console.log', said: 'qemu.log', qmp: 'qmp.sock' } as const;

/** The network of one lab: a multicast group on the loopback, which other labs do not hear. */
export interface Segment {
  readonly group: string;
  readonly port: number;
}

export interface GuestMachine {
  readonly name: string;
  /** The folder of the image. */
  readonly image: string;
  readonly sshPort: number;
  readonly segment: Segment;
}

const escaped = (path: string): string => path.replaceAll(',', ',,');

/** QEMU's arguments for a guest; `incoming`: from the saved state on descriptor 3. */
export function qemuArguments({ name, image, sshPort, segment }: GuestMachine, incoming: boolean): readonly string[] {
  const disk = (id: string, path: string, more: string): readonly string[] => [
    '-drive',
    `if=none,id=${id},format=raw,cache=unsafe,${more},file=${escaped(path)}`,
  ];
  return [
    ...['-name', `vbs-lab-${name}`],
    ...machineArguments,
    ...['-kernel', `${image}/${imageFiles.kernel}`, '-initrd', `${image}/${imageFiles.initrd}`],
    ...['-chardev', `file,id=console,append=on,path=${guestFiles.console}`, '-serial', 'chardev:console'],
    ...disk('root', `${image}/${imageFiles.root}`, 'readonly=on'),
    ...disk('data', guestFiles.data, 'discard=unmap'),
    ...disk('state', guestFiles.state, 'discard=unmap'),
    ...['-netdev', `user,id=control,restrict=on,hostfwd=tcp:127.0.0.1:${sshPort}-10.0.2.15:22`],
    ...['-netdev', `socket,id=storage,mcast=${segment.group}:${segment.port},localaddr=127.0.0.1`],
    ...['-qmp', `unix:${guestFiles.qmp},server=on,wait=off`],
    ...(incoming ? ['-incoming', 'fd:3'] : []),
  ];
}
