import type { Tool, ToolResult } from '../frame/tool.js';
import { isSlot } from './drive-text.js';
import { ParameterErrors, Refusal } from './refusal.js';
import { prepareUpdate } from './update-vm.js';
import type { ProxmoxWorld } from './world.js';

const usages: Readonly<Record<string, string>> = {
  set: 'qm set <vmid> [OPTIONS]',
  config: 'qm config <vmid> [OPTIONS]',
  pending: 'qm pending <vmid>',
  status: 'qm status <vmid> [OPTIONS]',
  unlink: 'qm unlink <vmid> --idlist <string> [OPTIONS]',
  list: 'qm list  [OPTIONS]',
};

/** The options of each command that are not options of a VM. */
const known: Readonly<Record<string, readonly string[]>> = {
  set: ['delete', 'revert', 'digest', 'force', 'skiplock'],
  config: ['current', 'snapshot'],
  pending: [],
  status: ['verbose'],
  unlink: ['idlist', 'force'],
  list: ['full'],
};
/** Of a VM, beside its slots. */
const vmOptions = ['memory', 'name', 'hotplug', 'boot', 'smbios1', 'description', 'protection', 'cores', 'scsihw'];

/** qm of qemu-server 9.2. */
export function qm(world: ProxmoxWorld): Tool {
  return ({ args }) => {
    const [command = '', ...words] = args;
    if (!world.root) return { exitCode: 255, stderr: 'please run as root\n' };
    const usage = usages[command];
    if (usage === undefined)
      return { exitCode: 255, stderr: `ERROR: unknown command 'qm ${command}'\nUSAGE: qm <COMMAND> [ARGS] [OPTIONS]\n` };
    try {
      return run(world, command, words);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const told = `${error.message}\n`;
      const isUsage = error instanceof ParameterErrors || error.message.startsWith('400 ');
      return { exitCode: error.exitCode, stderr: isUsage ? `${told}${error instanceof ParameterErrors ? '\n' : ''}${usage}\n` : told };
    }
  };
}

function run(world: ProxmoxWorld, command: string, words: readonly string[]): ToolResult {
  const { plain, options } = parseArguments(command, words);
  if (command === 'list') return { stdout: list(world) };
  const [text, ...more] = plain;
  if (text === undefined) throw new Refusal('400 not enough arguments');
  if (more.length > 0) throw new Refusal('400 too many arguments');
  if (!/^[1-9]\d{2,8}$/.test(text)) {
    throw new ParameterErrors({ vmid: 'invalid format - value does not look like a valid VM ID' });
  }
  const vmid = Number(text);
  if (command === 'status') {
    world.load(vmid);
    return { stdout: `status: ${world.running.has(vmid) ? 'running' : 'stopped'}\n` };
  }
  if (command === 'config') return { stdout: config(world, vmid, options.get('current') === '1') };
  if (command === 'pending') return { stdout: pending(world, vmid) };
  return set(world, command, vmid, options);
}

function set(world: ProxmoxWorld, command: string, vmid: number, options: ReadonlyMap<string, string>): ToolResult {
  const listOf = (name: string): readonly string[] => (options.get(name) ?? '').split(/[,;\s]+/).filter((word) => word !== '');
  if (command === 'unlink' && !options.has('idlist')) throw new ParameterErrors({ idlist: 'property is missing and it is not optional' });
  const own = [...options].filter(([name]) => !known[command]?.includes(name));
  const digest = options.get('digest');
  const worker = prepareUpdate(world, vmid, {
    set: Object.fromEntries(own),
    delete: listOf(command === 'unlink' ? 'idlist' : 'delete'),
    revert: listOf('revert'),
    ...(digest === undefined ? {} : { digest }),
    isRoot: true,
  });
  const { warnings } = worker();
  const told = [...options].filter(([name]) => name !== 'digest').map(([name, value]) => `-${name} ${value}`);
  return { stdout: `update VM ${vmid}: ${told.join(' ')}\n`, stderr: warnings.map((line) => `${line}\n`).join('') };
}

function parseArguments(command: string, words: readonly string[]) {
  const plain: string[] = [];
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    // One dash or two.
    const [, name, value] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) {
      plain.push(word);
      continue;
    }
    const isKnown = known[command]?.includes(name) === true || (command === 'set' && (isSlot(name) || vmOptions.includes(name)));
    if (!isKnown) throw new Refusal(`Unknown option: ${name}\n400 unable to parse option`);
    const next = value ?? words[++at];
    if (next === undefined) throw new Refusal(`Option ${name} requires an argument\n400 unable to parse option`);
    if (options.has(name)) throw new Refusal(`400 unable to parse option - ${name} given twice`);
    options.set(name, next);
  }
  return { plain, options };
}

function list(world: ProxmoxWorld): string {
  const row = (...cells: readonly string[]): string => {
    const [vmid = '', name = '', status = '', memory = '', disk = '', pid = ''] = cells;
    return `${vmid.padStart(10)} ${name.padEnd(20)} ${status.padEnd(10)} ${memory.padEnd(10)} ${disk.padStart(12)} ${pid.padEnd(10)}\n`;
  };
  const rows = world.vmids().map((vmid) => {
    const { current } = world.load(vmid);
    const isRunning = world.running.has(vmid);
    return row(
      String(vmid),
      current.get('name') ?? '',
      isRunning ? 'running' : 'stopped',
      current.get('memory') ?? '512',
      '4.00',
      isRunning ? String(vmid + 1000) : '0',
    );
  });
  return row('VMID', 'NAME', 'STATUS', 'MEM(MB)', 'BOOTDISK(GB)', 'PID') + rows.join('');
}

/** Without `--current` what is to come counts as there. */
function config(world: ProxmoxWorld, vmid: number, onlyCurrent: boolean): string {
  const { current, pending: next, pendingDelete } = world.load(vmid);
  const all = new Map([...current].filter(([key]) => onlyCurrent || !pendingDelete.has(key)));
  if (!onlyCurrent) for (const [key, value] of next) all.set(key, value);
  return [...all]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

function pending(world: ProxmoxWorld, vmid: number): string {
  const lines = world
    .load(vmid)
    .entries()
    .flatMap(({ key, value, pending: next, delete: leaving }) => {
      if (value === undefined) return [`new ${key}: ${next}`];
      if (leaving !== undefined) return [`del ${key}: ${value}`];
      return [`cur ${key}: ${value}`, ...(next === undefined ? [] : [`new ${key}: ${next}`])];
    });
  return lines.map((line) => `${line}\n`).join('');
}
