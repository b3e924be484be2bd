import type { Tool, ToolResult } from '../frame/tool.js';
import { begin, noSyntax, requireGroup } from './change-tools.js';
import { allOf, lastOf, lvmFailure, lvmUsage, type OptionTable, type ParsedOptions, parseLvmSize, ToolExit } from './options.js';
import type { LvmWorld } from './world.js';

const options: OptionTable = {
  config: { value: true },
  yes: { letter: 'y' },
  wipesignatures: { letter: 'W', value: true },
  zero: { letter: 'Z', value: true },
  size: { letter: 'L', value: true },
  extents: { letter: 'l', value: true },
  virtualsize: { letter: 'V', value: true },
  thinpool: { value: true },
  name: { letter: 'n', value: true },
  addtag: { value: true },
  snapshot: { letter: 's' },
  setactivationskip: { letter: 'k', value: true },
  activate: { letter: 'a', value: true },
};
const reservedParts = [
  '_cdata',
  '_cmeta',
  '_corig',
  '_iorig',
  '_mimage',
  '_mlog',
  '_pmspare',
  '_rimage',
  '_rmeta',
  '_tdata',
  '_tmeta',
  '_vdata',
];

export function lvcreateTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const parsed = begin(world, 'lvcreate', args, options);
    const name = lastOf(parsed, 'name');
    if (name === undefined || lastOf(parsed, 'yes') === undefined) throw noSyntax('lvcreate');
    requireName(name);
    const tags = allOf(parsed, 'addtag');
    if (lastOf(parsed, 'snapshot') !== undefined) return snapshot(world, parsed, name, tags);
    if (lastOf(parsed, 'virtualsize') !== undefined) return thin(world, parsed, name, tags);
    return thick(world, parsed, name, tags);
  };
}

function thick(world: LvmWorld, parsed: ParsedOptions, name: string, tags: readonly string[]): ToolResult {
  const size = lastOf(parsed, 'size');
  if (size === undefined || parsed.words.length !== 1) throw noSyntax('lvcreate');
  const bytes = world.rounded(parseLvmSize('size', size));
  requireGroup(world, parsed.words[0]);
  requireNew(world, name);
  requireFree(world, bytes);
  world.addThick(name, bytes, tags, lastOf(parsed, 'zero') !== 'n');
  return created(name);
}

function thin(world: LvmWorld, parsed: ParsedOptions, name: string, tags: readonly string[]): ToolResult {
  const [group, poolName = ''] = lastOf(parsed, 'thinpool')?.split('/') ?? [];
  if (group === undefined || parsed.words.length > 0) throw noSyntax('lvcreate');
  const bytes = world.rounded(parseLvmSize('virtualsize', lastOf(parsed, 'virtualsize') ?? ''));
  requireGroup(world, group);
  const pool = world.lvs.get(poolName);
  if (pool?.kind !== 'thin-pool') throw lvmFailure(`Pool ${poolName} not found in Volume group ${group}.`);
  requireNew(world, name);
  requireThreshold(world, poolName);
  world.addThin(name, bytes, tags, poolName);
  return created(name, warning(world, poolName));
}

function snapshot(world: LvmWorld, parsed: ParsedOptions, name: string, tags: readonly string[]): ToolResult {
  const [group, originName = '', more] = parsed.words[0]?.split('/') ?? [];
  if (parsed.words.length !== 1 || more !== undefined) throw noSyntax('lvcreate');
  requireGroup(world, group);
  const origin = world.lvs.get(originName);
  if (origin === undefined) throw lvmFailure(`Snapshot origin LV ${originName} not found in Volume group ${group}.`);
  requireNew(world, name);
  const room = roomOf(world, parsed, origin.sizeBytes);
  if (room !== undefined) {
    if (origin.kind === 'snapshot') throw lvmFailure('Snapshots of snapshots are not supported.');
    requireFree(world, room);
    world.addSnapshot(name, origin, tags, { roomBytes: room, skip: false });
    return created(name);
  }
  if (origin.kind !== 'thin') throw lvmFailure('Please specify either size or extents with snapshots.');
  requireThreshold(world, origin.pool);
  world.addSnapshot(name, origin, tags, { skip: lastOf(parsed, 'setactivationskip') !== 'n' });
  return created(name, warning(world, origin.pool));
}

/** 100%ORIGIN has room for its own bookkeeping too: such a snapshot never runs full. */
function roomOf(world: LvmWorld, parsed: ParsedOptions, originBytes: number): number | undefined {
  const [size, extents] = [lastOf(parsed, 'size'), lastOf(parsed, 'extents')];
  if (size !== undefined) return world.rounded(parseLvmSize('size', size));
  if (extents === undefined) return undefined;
  const [, percent] = /^([0-9]+)%ORIGIN$/.exec(extents) ?? [];
  if (percent === undefined) throw lvmUsage(`  Invalid argument for --extents: ${extents}`);
  return world.rounded((originBytes * Number(percent)) / 100) + world.extentBytes;
}

function requireName(name: string): void {
  const refuse = (what: string) =>
    new ToolExit({
      exitCode: 3,
      stderr: `  Names ${what} are reserved. Please choose a different LV name.\n  Run \`lvcreate --help' for more information.\n`,
    });
  if (!/^[A-Za-z0-9+_.][A-Za-z0-9+_.-]{0,127}$/.test(name)) throw lvmUsage(`  Logical volume name "${name}" is invalid.`);
  const prefix = ['snapshot', 'pvmove'].find((one) => name.startsWith(one));
  if (prefix !== undefined) throw refuse(`starting "${prefix}"`);
  const part = reservedParts.find((one) => name.includes(one));
  if (part !== undefined) throw refuse(`including "${part}"`);
}

function requireNew(world: LvmWorld, name: string): void {
  if (world.lvs.has(name)) throw lvmFailure(`Logical Volume "${name}" already exists in volume group "${world.group}"`);
}

function requireFree(world: LvmWorld, bytes: number): void {
  const [free, needed] = [world.freeBytes / world.extentBytes, bytes / world.extentBytes];
  if (needed > free) throw lvmFailure(`Volume group "${world.group}" has insufficient free space (${free} extents): ${needed} required.`);
}

/** LVM makes nothing in a pool that is above its threshold. */
function requireThreshold(world: LvmWorld, pool: string): void {
  if (world.poolState.data < 100) return;
  throw lvmFailure(`Cannot create new thin volume, free space in thin pool ${world.group}/${pool} reached threshold.`);
}

function warning(world: LvmWorld, pool: string): string {
  const promised = [...world.lvs.values()].filter((lv) => lv.pool === pool).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const size = world.lvs.get(pool)?.sizeBytes ?? 0;
  return promised <= size
    ? ''
    : `  WARNING: Sum of all thin volume sizes (${promised}) exceeds the size of thin pool ${world.group}/${pool}.\n`;
}

function created(name: string, stderr = ''): ToolResult {
  return { stdout: `  Logical volume "${name}" created.\n`, stderr };
}
