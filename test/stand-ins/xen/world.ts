import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tools } from '../frame/tool.js';
import { type Dom0Device, Dom0Devices, readAt, sizeOf, writeAt } from './devices.js';
import { diskNumber, guestName } from './disk-number.js';
import { backendPath, backends, frontendPath, StandInStore, xenstoreLs } from './store.js';
import { xl } from './xl.js';
import { xm } from './xm.js';

/** A domain as Xen has it, and how its guest behaves. */
export interface Domain {
  id: number;
  name: string;
  readonly uuid: string;
  paused: boolean;
  /** Whether its guest has a driver for Xen disks. */
  frontend: boolean;
  /** Whether its guest takes new disks; it may answer, and not want one. */
  takes: boolean;
  /** Numbers of the disks that its guest does not let go of. */
  readonly held: Set<number>;
}

/** What `xl block-attach` and xend write for a disk. */
export interface NewDisk {
  readonly number: number;
  readonly dev: string;
  readonly params: string;
  readonly mode: string;
  readonly backend: 'vbd' | 'qdisk';
  readonly device: Dom0Device | undefined;
}

export interface WorldGuestDisk {
  readonly sizeBytes: number;
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

/** A Xen host: Dom0 with its devices, domains with their guests, xenstore, and the tools xl, xm and xenstore-ls. */
export class XenWorld {
  readonly store = new StandInStore();
  readonly devices: Dom0Devices;
  readonly domains = new Map<number, Domain>();
  /** VMs that xend knows and that do not run. */
  readonly managed: string[] = [];
  /** Whether the tools run as root, and whether the daemons are up. */
  root = true;
  xenstored = true;
  xend = true;
  /** The hotplug script never ends. */
  hotplugHangs = false;
  readonly tools: Tools;
  /** What each backend has open, by its path. */
  readonly #opened = new Map<string, Dom0Device>();
  #nextId = 1;

  constructor(root: string, devices = new Dom0Devices(root)) {
    this.devices = devices;
    mkdirSync(join(root, 'proc/xen'), { recursive: true });
    writeFileSync(join(root, 'proc/xen/capabilities'), 'control_d\n');
    this.#add(0, 'Domain-0');
    const fault = (): string | undefined => (this.xenstored ? (this.root ? undefined : 'Permission denied') : 'No such file or directory');
    this.tools = { xl: xl(this), xm: xm(this), 'xenstore-ls': xenstoreLs(this.store, fault) };
  }

  /** With the next free id; Xen gives old ones again in the end. */
  start(name: string, id = this.#nextId++): Domain {
    return this.#add(id, name);
  }

  named(name: string): Domain {
    const found = [...this.domains.values()].find((domain) => domain.name === name);
    if (found === undefined) throw new TypeError(`no domain ${name}`);
    return found;
  }

  rename(name: string, other: string): void {
    const domain = this.named(name);
    domain.name = other;
    this.store.write(`/local/domain/${domain.id}/name`, other);
  }

  /** Its disks go with it. */
  destroy(name: string): void {
    const { id } = this.named(name);
    for (const { path } of this.disksOf(id)) this.drop(path, id);
    this.store.remove(`/local/domain/${id}`);
    this.domains.delete(id);
  }

  /** As the toolstack does it: destroyed, and made anew with the same name and disks under another id. */
  reboot(name: string): void {
    const old = this.named(name);
    const disks = this.disksOf(old.id).map(({ number, path, kind }): NewDisk => {
      const read = (key: string): string => this.store.read(`${path}/${key}`) ?? '';
      return { number, dev: read('dev'), params: read('params'), mode: read('mode'), backend: kind, device: this.#opened.get(path) };
    });
    this.destroy(name);
    const domain = this.start(name);
    for (const disk of disks) {
      this.create(domain, disk);
      this.connect(domain, disk.number);
    }
  }

  pause(name: string): void {
    this.named(name).paused = true;
  }

  unpause(name: string): void {
    this.named(name).paused = false;
    this.#react(this.named(name));
  }

  setFrontend(name: string, there: boolean): void {
    this.named(name).frontend = there;
    this.#react(this.named(name));
  }

  /** The guest does not let go of a disk, until the answer is called. */
  hold(name: string, vdev: string): () => void {
    const [domain, number] = [this.named(name), diskNumber(vdev) ?? 0];
    domain.held.add(number);
    return () => {
      domain.held.delete(number);
      this.#react(domain);
    };
  }

  /** What the programs of a guest see in a slot. @throws where there is no disk. */
  disk(name: string, vdev: string): WorldGuestDisk {
    const number = diskNumber(vdev) ?? 0;
    const there = (): { readonly device: Dom0Device; readonly path: string } => {
      const found = this.disksOf(this.named(name).id).find((disk) => disk.number === number);
      const device = found === undefined ? undefined : this.#opened.get(found.path);
      const state = this.store.read(`${frontendPath(this.named(name).id, number)}/state`);
      if (found === undefined || device === undefined || state !== '4') throw new Error(`ENXIO: ${name} has no ${vdev}`);
      return { device, path: found.path };
    };
    const { path } = there();
    return {
      sizeBytes: Number(this.store.read(`${path}/sectors`)) * 512,
      read: async (offset, length) => await readAt(there().device, offset, length),
      write: async (offset, bytes) => {
        const at = there();
        if (this.store.read(`${at.path}/mode`) === 'r') throw new Error('EPERM: Operation not permitted');
        await writeAt(at.device, offset, bytes);
      },
      flush: async () => void there(),
    };
  }

  disksOf(domid: number): readonly { readonly number: number; readonly path: string; readonly kind: 'vbd' | 'qdisk' }[] {
    return backends.flatMap((kind) => {
      const names = this.store.names(`/local/domain/0/backend/${kind}/${domid}`) ?? [];
      return names.map((name) => ({ number: Number(name), path: backendPath(kind, domid, Number(name)), kind }));
    });
  }

  /** Every backend that has a device open, with its domain and mode. */
  users(device: Dom0Device): readonly { readonly domid: number; readonly mode: string }[] {
    return [...this.domains.keys()].flatMap((domid) =>
      this.disksOf(domid)
        .filter(({ path }) => this.#opened.get(path) === device)
        .map(({ path }) => ({ domid, mode: this.store.read(`${path}/mode`) ?? '' })),
    );
  }

  create({ id }: Domain, { number, dev, params, mode, backend, device }: NewDisk): string {
    const path = backendPath(backend, id, number);
    const common = { 'frontend-id': String(id), online: '1', removable: '0', bootable: '1', dev, 'device-type': 'disk', mode, params };
    const frontend = frontendPath(id, number);
    this.store.write(path, {
      ...common,
      frontend,
      state: '1',
      type: backend === 'qdisk' ? 'qdisk' : 'phy',
      script: '/etc/xen/scripts/block',
    });
    this.store.write(frontend, { backend: path, 'backend-id': '0', state: '1', 'virtual-device': String(number), 'device-type': 'disk' });
    if (device !== undefined) this.#open(path, device);
    return path;
  }

  /** The hotplug script is done, and the backend waits for the guest. */
  #open(path: string, device: Dom0Device): void {
    this.#opened.set(path, device);
    this.store.write(path, {
      state: '2',
      'physical-device': `${device.major.toString(16)}:${device.minor.toString(16)}`,
      'physical-device-path': device.path,
      'hotplug-status': 'connected',
    });
  }

  /** The backend's part is done: the guest takes the disk, if it answers, and shows no other by the same name. */
  connect(domain: Domain, number: number): void {
    const found = this.disksOf(domain.id).find((disk) => disk.number === number);
    const device = found === undefined ? undefined : this.#opened.get(found.path);
    const same = this.disksOf(domain.id).filter((disk) => guestName(disk.number) === guestName(number));
    if (found === undefined || device === undefined || domain.paused || !domain.frontend) return;
    this.store.write(found.path, {
      state: '4',
      sectors: String(sizeOf(device) / 512),
      'sector-size': '512',
      info: '0',
      'feature-flush-cache': '1',
    });
    this.store.write(`${frontendPath(domain.id, number)}/state`, domain.takes && same.length === 1 ? '4' : '3');
  }

  /** Asks the guest to let go; false: it has not, and the wish stays. */
  release(domain: Domain, number: number): boolean {
    const found = this.disksOf(domain.id).find((disk) => disk.number === number);
    if (found === undefined) return true;
    const state = this.store.read(`${found.path}/state`);
    this.store.write(`${found.path}/online`, '0');
    if (state !== '6' && !this.#lets(domain, number)) {
      this.store.write(`${found.path}/state`, '5');
      return false;
    }
    this.drop(found.path, domain.id);
    return true;
  }

  drop(path: string, domid: number): void {
    this.#opened.delete(path);
    this.store.remove(path);
    this.store.remove(frontendPath(domid, Number(path.split('/').at(-1))));
  }

  #lets({ paused, frontend, held }: Domain, number: number): boolean {
    return !paused && frontend && !held.has(number);
  }

  /** A guest that answers again takes what waits for it, and lets go of what it was asked for: the entry stays, closed. */
  #react(domain: Domain): void {
    for (const { number, path } of this.disksOf(domain.id)) {
      const [online, guestState] = [this.store.read(`${path}/online`), this.store.read(`${frontendPath(domain.id, number)}/state`)];
      if (online === '0' && this.#lets(domain, number)) {
        for (const end of [path, frontendPath(domain.id, number)]) this.store.write(`${end}/state`, '6');
      }
      if (guestState === '1' && online === '1') this.connect(domain, number);
    }
  }

  #add(id: number, name: string): Domain {
    const domain = { id, name, uuid: randomUUID(), paused: false, frontend: true, takes: true, held: new Set<number>() };
    this.domains.set(id, domain);
    this.store.write(`/local/domain/${id}`, { name, domid: String(id), vm: `/vm/${domain.uuid}` });
    return domain;
  }
}
