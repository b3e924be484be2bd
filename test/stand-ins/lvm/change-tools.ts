import type { Tool } from '../frame/tool.js';
import { acceptsOf } from './lvm-config.js';
import {
  allOf,
  lastOf,
  lvmFailure,
  lvmUsage,
  type OptionTable,
  type ParsedOptions,
  parseLvmSize,
  parseOptions,
  requireTag,
} from './options.js';
import { selectsLv } from './report.js';
import type { LvmWorld, StandInLv } from './world.js';

const common: OptionTable = { config: { value: true }, yes: { letter: 'y' } };
const tagOptions: OptionTable = { addtag: { value: true }, deltag: { value: true } };

export function vgchangeTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const parsed = begin(world, 'vgchange', args, { ...common, ...tagOptions });
    if (allOf(parsed, 'addtag').length + allOf(parsed, 'deltag').length === 0) throw noSyntax('vgchange');
    for (const word of parsed.words) requireGroup(world, word);
    retag(world.tags, parsed);
    return { stdout: `  Volume group "${world.group}" successfully changed\n` };
  };
}

export function lvchangeTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const options = { ...common, ...tagOptions, activate: { letter: 'a', value: true }, ignoreactivationskip: { letter: 'K' } } as const;
    const parsed = begin(world, 'lvchange', args, options);
    const lv = requireLv(world, parsed.words[0]);
    const activate = lastOf(parsed, 'activate');
    if (lv.kind === 'snapshot' && activate !== undefined && lastOf(parsed, 'yes') === undefined) {
      throw lvmFailure(`Logical volume ${world.group}/${lv.name} not changed.`);
    }
    const tagged = retag(lv.tags, parsed);
    if (activate === undefined && !tagged) throw noSyntax('lvchange');
    if (activate === 'n' && world.open.has(lv.name)) throw lvmFailure(`Logical volume ${world.group}/${lv.name} in use.`);
    if (activate === 'n') world.deactivate(lv);
    if (activate === 'y' && (!lv.skip || lastOf(parsed, 'ignoreactivationskip') !== undefined)) world.activate(lv);
    return { stdout: tagged ? `  Logical volume ${world.group}/${lv.name} changed.\n` : '' };
  };
}

export function lvextendTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const parsed = begin(world, 'lvextend', args, { ...common, size: { letter: 'L', value: true } });
    const text = lastOf(parsed, 'size');
    if (text === undefined || parsed.words.length !== 1) throw noSyntax('lvextend');
    const size = parseLvmSize('size', text);
    const lv = requireLv(world, parsed.words[0], (group, name) => `Logical volume ${name} not found in volume group ${group}.`);
    const wanted = world.rounded(text.startsWith('+') ? lv.sizeBytes + size : size);
    const [before, after] = [lv.sizeBytes / world.extentBytes, wanted / world.extentBytes];
    if (after < before) throw lvmFailure(`New size given (${after} extents) not larger than existing size (${before} extents)`);
    if (after === before) throw lvmFailure(`New size (${after} extents) matches existing size (${before} extents).`);
    if (lv.active && world.snapshotsOf(lv.name).length > 0) {
      throw lvmFailure('Snapshot origin volumes can be resized only while inactive: try lvchange -an.');
    }
    const free = world.freeBytes / world.extentBytes;
    if (lv.kind !== 'thin' && after - before > free) {
      throw lvmFailure(`Insufficient free space: ${after - before} extents needed, but only ${free} available`);
    }
    const name = `${world.group}/${lv.name}`;
    const change = `from ${mebibytes(lv.sizeBytes)} (${before} extents) to ${mebibytes(wanted)} (${after} extents)`;
    world.extend(lv, wanted);
    return { stdout: `  Size of logical volume ${name} changed ${change}.\n  Logical volume ${name} successfully resized.\n` };
  };
}

export function lvremoveTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const parsed = begin(world, 'lvremove', args, { ...common, select: { letter: 'S', value: true } });
    const lv = requireLv(world, parsed.words[0]);
    const select = lastOf(parsed, 'select');
    if (select !== undefined && !selectsLv(world, lv, select)) return {};
    if (lastOf(parsed, 'yes') === undefined) throw lvmFailure('Logical volume not removed: nobody answers its question.');
    // As the real one does: the snapshots of a classic origin go with it.
    const going = [...world.snapshotsOf(lv.name), lv];
    const open = going.find(({ name }) => world.open.has(name));
    if (open !== undefined) throw lvmFailure(`Logical volume ${world.group}/${open.name} in use.`);
    for (const one of going) world.remove(one);
    return { stdout: going.map(({ name }) => `  Logical volume "${name}" successfully removed.\n`).join('') };
  };
}

/** What LVM refuses while devices of the group are missing; it removes and marks volumes all the same. */
const growing: ReadonlySet<string> = new Set(['lvcreate', 'lvextend']);

/** What each tool of LVM does first. */
export function begin(world: LvmWorld, tool: string, args: readonly string[], options: OptionTable): ParsedOptions {
  const parsed = parseOptions(tool, args, options);
  for (const option of ['addtag', 'deltag'] as const) for (const tag of allOf(parsed, option)) requireTag(option, tag);
  world.requirePresent(acceptsOf(lastOf(parsed, 'config')));
  if (world.missingDevice && growing.has(tool)) {
    const advice = 'See vgreduce --removemissing and vgextend --restoremissing.';
    throw lvmFailure(`Cannot change VG ${world.group} while PVs are missing.`, advice, `Cannot process volume group ${world.group}`);
  }
  return parsed;
}

export function requireGroup(world: LvmWorld, name: string | undefined): void {
  if (name !== world.group) throw lvmFailure(`Volume group "${name}" not found`, `Cannot process volume group ${name}`);
}

export function requireLv(
  world: LvmWorld,
  word: string | undefined,
  absent = (group: string | undefined, name: string): string => `Failed to find logical volume "${group}/${name}"`,
): StandInLv {
  const [group, name, more] = (word ?? '').replace(/^\/dev\//, '').split('/');
  if (name === undefined || more !== undefined) throw lvmUsage(`  Invalid path for Logical Volume: ${word}`);
  requireGroup(world, group);
  const lv = world.lvs.get(name);
  if (lv === undefined) throw lvmFailure(absent(group, name));
  return lv;
}

export function noSyntax(tool: string) {
  return lvmUsage(`  No command with matching syntax recognised.  Run '${tool} --help' for more information.`);
}

/** As LVM shows a size to people, up to where it says GiB. */
function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(2)} MiB`;
}

function retag(tags: Set<string>, parsed: ParsedOptions): boolean {
  const [added, removed] = [allOf(parsed, 'addtag'), allOf(parsed, 'deltag')];
  for (const tag of added) tags.add(tag);
  for (const tag of removed) tags.delete(tag);
  return added.length + removed.length > 0;
}
