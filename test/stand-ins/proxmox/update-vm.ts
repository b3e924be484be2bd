import { formatSize, isSlot, parseDrive, printDrive } from './drive-text.js';
import { ParameterErrors, Refusal } from './refusal.js';
import type { VmConfig } from './vm-config.js';
import type { ProxmoxWorld } from './world.js';

/** One change of a VM, as `qm set` and the REST API take it. */
export interface Update {
  readonly set: Readonly<Record<string, string>>;
  readonly delete: readonly string[];
  readonly revert: readonly string[];
  readonly digest?: string;
  /** Whether the caller is root@pam himself. */
  readonly isRoot: boolean;
}

/** What its worker has told. */
export interface UpdateEnd {
  readonly warnings: readonly string[];
}

const busy = (slot: string): string => `hotplug problem - error on hot-unplugging device '${slot}' - still busy in guest?`;

/**
 * Checks a change, and answers the worker that does it: what is refused by the check has changed nothing; what the worker is refused, its
 * pending change stays.
 */
export function prepareUpdate(world: ProxmoxWorld, vmid: number, update: Update): () => UpdateEnd {
  const { set, revert, digest, isRoot } = update;
  const names = [...Object.keys(set), ...update.delete, ...revert];
  if (names.length === 0) throw new Refusal('no options specified');
  for (const [field, options] of [['delete', update.delete] as const, ['revert', revert] as const]) {
    for (const name of options) {
      if (!isOption(name)) throw new ParameterErrors({ [field]: `unknown option '${name}'` });
      if (set[name] !== undefined) {
        throw new ParameterErrors({ delete: `you can't use '-${name}' and -${field} ${name}' at the same time` });
      }
    }
  }
  const drives = Object.entries(set).filter(([name]) => isSlot(name));
  for (const [name, text] of drives) {
    const file = parseDrive(name, text).get('file') ?? '';
    if (file.startsWith('/') && !isRoot) throw new Refusal('Only root can pass arbitrary filesystem paths.');
  }
  if (world.lockedFiles.has(vmid)) throw new Refusal(`can't lock file '/var/lock/qemu-server/lock-${vmid}.conf' - got timeout`);
  const config = world.load(vmid);
  if (digest !== undefined && digest !== config.digest)
    throw new Refusal('detected modified configuration - file changed by other user? Try again.');
  const lock = config.current.get('lock');
  if (lock !== undefined) throw new Refusal(`VM is locked (${lock})`);
  const [changes, removals] = [new Map(Object.entries(set)), [...update.delete]];
  for (const name of revert) {
    const value = config.current.get(name);
    if (value !== undefined) changes.set(name, value);
    else if (config.pending.has(name)) removals.push(name);
  }
  return () => {
    const warnings: string[] = [];
    const modified = new Set<string>();
    for (const name of removals) if (remove(world, vmid, name, warnings)) modified.add(name);
    for (const [name, text] of changes) {
      modified.add(name);
      change(world, vmid, name, text);
    }
    apply(world, vmid, modified);
    return { warnings };
  };
}

function isOption(name: string): boolean {
  return isSlot(name) || /^(unused\d+|memory|name|hotplug|boot|bootdisk|smbios1|lock|description|protection|cores|scsihw)$/.test(name);
}

function remove(world: ProxmoxWorld, vmid: number, name: string, warnings: string[]): boolean {
  const config = world.load(vmid);
  if (!config.current.has(name) && !config.pending.has(name)) {
    warnings.push(`cannot delete '${name}' - not set in current configuration!`);
    return false;
  }
  if (isSlot(name) && config.current.get('protection') === '1') throw new Refusal(`can't remove drive '${name}' - protection mode enabled`);
  config.pending.delete(name);
  if (name.startsWith('unused')) config.current.delete(name);
  else config.pendingDelete.add(name);
  world.save(vmid, config);
  return true;
}

function change(world: ProxmoxWorld, vmid: number, name: string, text: string): void {
  const config = world.load(vmid);
  if (config.pending.get(name) === text) return;
  config.pending.set(name, isSlot(name) ? sized(world, config, name, text) : text);
  config.pendingDelete.delete(name);
  world.save(vmid, config);
}

/** Whatever is new in a slot gets its size; Proxmox VE compares with what is to come alone. */
function sized(world: ProxmoxWorld, config: VmConfig, slot: string, text: string): string {
  const options = parseDrive(slot, text);
  const file = options.get('file') ?? '';
  const old = config.pending.get(slot);
  if (!file.startsWith('/') || (old !== undefined && parseDrive(slot, old).get('file') === file)) return printDrive(options);
  const size = world.deviceSize(file);
  if (size === undefined) throw new Refusal(`volume ${file} does not exist`);
  return printDrive(options.set('size', formatSize(size)));
}

function apply(world: ProxmoxWorld, vmid: number, modified: ReadonlySet<string>): void {
  const config = world.load(vmid);
  for (const name of config.pendingDelete) if (!config.current.has(name)) config.pendingDelete.delete(name);
  for (const [name, text] of config.pending) if (config.current.get(name) === text) config.pending.delete(name);
  const isRunning = world.running.has(vmid);
  const errors: Record<string, string> = {};
  const features = featuresOf(config);
  for (const name of config.pendingDelete) {
    if (isRunning && (!modified.has(name) || !isSlot(name) || !features.includes('disk') || /^(ide|sata)/.test(name))) continue;
    if (isRunning) {
      const why = unplugged(world, config, vmid, name);
      if (why !== undefined) {
        errors[name] = why;
        continue;
      }
    }
    config.current.delete(name);
    config.pendingDelete.delete(name);
  }
  for (const [name, text] of config.pending) {
    if (isRunning && isSlot(name)) {
      if (!modified.has(name) || !features.includes('disk')) continue;
      const old = config.current.get(name);
      const isOther = old !== undefined && parseDrive(name, old).get('file') !== parseDrive(name, text).get('file');
      if (old !== undefined && !isOther) continue;
      // What is in the slot goes in silence.
      const why = isOther ? unplugged(world, config, vmid, name) : undefined;
      if (why !== undefined) {
        errors[name] = why;
        continue;
      }
      if (/^(ide|sata)/.test(name)) continue;
      world.plug(vmid, name, text);
    }
    config.current.set(name, text);
    config.pending.delete(name);
  }
  world.save(vmid, config);
  if (Object.keys(errors).length > 0) throw new ParameterErrors(errors);
}

/** Asks the guest for a disk; why it is still there. */
function unplugged(world: ProxmoxWorld, config: VmConfig, vmid: number, slot: string): string | undefined {
  const boot = `${config.current.get('boot') ?? ''};${config.current.get('bootdisk') ?? ''}`.split(/[=;,]/);
  if (boot.includes(slot)) return `hotplug problem - can't unplug bootdisk '${slot}'`;
  return world.unplug(vmid, slot) ? undefined : busy(slot);
}

function featuresOf(config: VmConfig): readonly string[] {
  const text = config.current.get('hotplug') ?? '1';
  if (text === '1') return ['network', 'disk', 'usb'];
  return text.split(',');
}
