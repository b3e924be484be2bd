import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { GuestDisk } from '@vbs/conformance';
import { GuestAgent } from './guest-agent.js';
import { guestInit } from './guest-init.js';
import { busybox, guestKernel } from './guest-kernel.js';
import { LibvirtDaemon } from './libvirt-daemon.js';

const run = promisify(execFile);
/** A guest sees a disk some time after its QEMU has it. */
const seenLimitMs = 20_000;

/**
 * QEMU as on a machine without KVM. Where /dev/kvm is there and only root may open it, libvirt asks QEMU anew what it can do before each
 * start and definition, which takes it seconds.
 */
const emulator = `#!/bin/sh
for word; do
  case $word in *accel=kvm:tcg*) word=none,accel=tcg ;; esac
  set -- "$@" "$word"
  shift
done
exec /usr/bin/qemu-system-x86_64 "$@"
`;

/** A libvirtd with guests in software emulation, shared by the tests of a file. */
export class Guests {
  readonly #agents = new Map<string, GuestAgent>();

  private constructor(
    readonly daemon: LibvirtDaemon,
    private readonly files: { readonly emulator: string; readonly kernel: string; readonly initrd: string },
  ) {}

  static async start(...names: readonly string[]): Promise<Guests> {
    const kernel = await guestKernel();
    const daemon = await LibvirtDaemon.start();
    try {
      const image = join(daemon.directory, 'vmlinuz');
      await copyFile(kernel.image, image);
      const guests = new Guests(daemon, {
        emulator: await daemon.write('qemu', emulator, 0o755),
        kernel: image,
        initrd: await makeInitrd(daemon, kernel.modules),
      });
      await Promise.all(names.map((name) => guests.define(name).then(() => guests.start(name))));
      return guests;
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  /** A VM that is stopped; `scsi: false` leaves its SCSI controller out. */
  async define(name: string, options: { readonly scsi?: boolean } = {}): Promise<string> {
    const uuid = randomUUID();
    const file = await this.daemon.write(`${name}.xml`, this.#xml(name, uuid, options.scsi ?? true));
    await this.daemon.virsh('define', file);
    return uuid;
  }

  /** Ends when it has booted. */
  async start(name: string): Promise<void> {
    await this.daemon.virsh('start', name);
    await this.booted(name);
  }

  /** For a VM that was started by other means. */
  async booted(name: string): Promise<void> {
    this.#agents.set(name, await GuestAgent.boot(this.#port(name)));
  }

  /** As its own user would. */
  async powerOff(name: string): Promise<void> {
    await this.agent(name).do('poweroff -');
    await this.#ended(name);
  }

  async destroy(name: string): Promise<void> {
    await this.daemon.virsh('destroy', name);
    await this.#ended(name);
  }

  agent(name: string): GuestAgent {
    const agent = this.#agents.get(name);
    if (agent === undefined) throw new TypeError(`${name} does not run`);
    return agent;
  }

  async uuid(name: string): Promise<string> {
    return (await this.daemon.virsh('domuuid', name)).trim();
  }

  /** The serial number of the disk in a slot of a running VM; undefined when it holds none. */
  async serialIn(name: string, slot: string): Promise<string | undefined> {
    const xml = await this.daemon.virsh('dumpxml', name);
    const disk = xml.split('<disk ').find((piece) => piece.split('</disk>')[0]?.includes(`<target dev='${slot}'`));
    return /<serial>([^<]*)<\/serial>/.exec(disk?.split('</disk>')[0] ?? '')?.[1];
  }

  /** The disk that the guest has in a slot. */
  async disk(name: string, slot: string): Promise<GuestDisk> {
    const serial = await this.serialIn(name, slot);
    if (serial === undefined) throw new Error(`${name} has no disk in ${slot}`);
    return this.agent(name).disk(serial, seenLimitMs);
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents.values()) agent.close();
    await this.daemon.stop();
  }

  async #ended(name: string): Promise<void> {
    this.#agents.get(name)?.close();
    this.#agents.delete(name);
    for (let attempt = 0; attempt < 600; attempt++) {
      if ((await this.daemon.virsh('domstate', name)).trim() === 'shut off') return;
      await pause(50);
    }
    throw new Error(`${name} did not end`);
  }

  #port(name: string): string {
    return join(this.daemon.directory, `lib/${name}.sock`);
  }

  /** `pc`: its hot-plug takes a tenth of a second; that of q35 takes six. */
  #xml(name: string, uuid: string, scsi: boolean): string {
    const { emulator, kernel, initrd } = this.files;
    return `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory unit='MiB'>112</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>${kernel}</kernel><initrd>${initrd}</initrd><cmdline>console=ttyS0 quiet panic=-1</cmdline></os>
<features><acpi/></features>
<devices><emulator>${emulator}</emulator>
<controller type='usb' model='none'/><memballoon model='none'/><controller type='virtio-serial' index='0'/>
${scsi ? "<controller type='scsi' index='0' model='virtio-scsi'/>" : ''}
<serial type='file'><source path='${this.daemon.directory}/lib/${name}.log'/></serial>
<channel type='unix'><source mode='bind' path='${this.#port(name)}'/><target type='virtio' name='org.example.vbs'/></channel>
</devices></domain>`;
  }
}

/** A first file system of busybox, the modules and `init`. */
async function makeInitrd(daemon: LibvirtDaemon, modules: readonly string[]): Promise<string> {
  const root = join(daemon.directory, 'initrd');
  for (const folder of ['bin', 'dev', 'proc', 'sys', 'modules']) await mkdir(join(root, folder), { recursive: true });
  await copyFile(busybox, join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  for (const [place, module] of modules.entries()) {
    await copyFile(module, join(root, 'modules', `${String(place).padStart(2, '0')}-${basename(module)}`));
  }
  await writeFile(join(root, 'init'), guestInit, { mode: 0o755 });
  const { stdout: names } = await run('find', ['.'], { cwd: root });
  const packed = run('cpio', ['-o', '-H', 'newc', '--quiet', '-R', '0:0'], { cwd: root, encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 });
  packed.child.stdin?.end(names);
  const archive = await promisify(gzip)((await packed).stdout, { level: 1 });
  await rm(root, { recursive: true });
  return daemon.write('initrd.gz', archive);
}
