import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tool, ToolResult, Tools } from '../frame/tool.js';
import type { AoeNode } from './aoe-node.js';

const failed = (stderr: string, exitCode = 1, stdout = ''): ToolResult => ({ exitCode, stderr, stdout });

/** The other commands that work on AoE devices, as far as they are used: blockdev of util-linux, dd and tee of coreutils, find of findutils. */
export function utilities(node: AoeNode): Tools {
  return { blockdev: blockdev(node), tee: tee(node), dd: dd(node), udevadm, find };
}

function blockdev(node: AoeNode): Tool {
  return async ({ args }) => {
    const [option = '', path = '', ...rest] = args;
    if (!['--flushbufs', '--setro', '--setrw', '--getro', '--getsize64'].includes(option) || rest.length > 0) {
      return failed(`blockdev: Unknown command: ${option}\n`);
    }
    const device = node.devices.get(path.replace(/^\/dev\/etherd\//, ''));
    if (device === undefined) return failed(`blockdev: cannot open ${path}: No such file or directory\n`);
    if (device.state === 'down') return failed(`blockdev: cannot open ${path}: No such device\n`);
    if (option === '--getro') return { stdout: device.readOnly ? '1\n' : '0\n' };
    if (option === '--getsize64') return { stdout: `${device.sectors * 512}\n` };
    if (option !== '--flushbufs') await node.setReadOnly(device.key, option === '--setro');
    return {};
  };
}

/** A read of a device. Where its target has gone the real one hangs for three minutes first (aoe_deadsecs). */
function dd(node: AoeNode): Tool {
  return async ({ args }) => {
    const operands = new Map(args.map((word): [string, string] => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
    const [strange] = args.filter((word) => !/^(if|of|bs|count|iflag|status)=/.test(word));
    if (strange !== undefined) return failed(`dd: unrecognized operand '${strange}'\nTry 'dd --help' for more information.\n`);
    const path = operands.get('if') ?? '';
    if (operands.get('of') !== '/dev/null') return failed(`dd: failed to open '${operands.get('of')}': Permission denied\n`);
    const device = node.devices.get(path.replace(/^\/dev\/etherd\//, ''));
    if (device === undefined) return failed(`dd: failed to open '${path}': No such file or directory\n`);
    if (device.state === 'down') return failed(`dd: failed to open '${path}': No such device\n`);
    if (node.answersNow(device.key)) return {};
    await node.goDown(device.key);
    return failed(`dd: error reading '${path}': Input/output error\n`);
  };
}

function tee(node: AoeNode): Tool {
  return async ({ args, input }) => {
    for (const path of args) {
      const name = path.replace(/^\/dev\/etherd\//, '');
      if (!node.isLoaded || name === path) return failed(`tee: ${path}: No such file or directory\n`, 1, input);
      if (name === 'flush') await node.flush(input);
      else if (name === 'discover') node.discover();
      else return failed(`tee: ${path}: Permission denied\n`, 1, input);
    }
    return { stdout: input };
  };
}

const udevadm: Tool = ({ args }) => (args.join(' ') === 'settle --timeout=5' ? {} : failed(`udevadm: unrecognized option or command\n`));

/** `find /proc … -path P ( -lname A -o -lname B )`: the links of processes that lead there. */
const find: Tool = async ({ args, root }) => {
  const [start, ...tests] = args;
  const known = /^-mindepth 3 -maxdepth 3 -path \/proc\/\[0-9\]\*\/fd\/\* \( (-lname \S+)( -o -lname \S+)* \)$/;
  const shown = tests.join(' ');
  if (start !== '/proc' || !known.test(shown)) return failed(`find: paths must precede expression: \`${shown}'\n`);
  const wanted = tests.flatMap((word, index) => (tests[index - 1] === '-lname' ? [glob(word)] : []));
  const found: string[] = [];
  for (const pid of await readdir(join(root, 'proc'))) {
    if (!/^\d/.test(pid)) continue;
    const folder = join(root, 'proc', pid, 'fd');
    for (const fd of await readdir(folder).catch(() => [])) {
      const target = await readlink(join(folder, fd)).catch(() => '');
      if (wanted.some((pattern) => pattern.test(target))) found.push(`/proc/${pid}/fd/${fd}\n`);
    }
  }
  return { stdout: found.join('') };
};

/** A pattern of fnmatch(3) with `*` and `[0-9]`. */
function glob(text: string): RegExp {
  return new RegExp(`^${text.replaceAll(/[.+^$(){}|\\]/g, '\\$&').replaceAll('*', '.*')}$`);
}
