import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { ToolResult, ToolRun } from '../frame/tool.js';
import type { StandInKernel } from './kernel.js';

/** tee of one file: of sysfs, where writing acts, or of another, which it makes or replaces. */
export function tee(kernel: StandInKernel, { args: [path = '', ...more], input, root }: ToolRun): ToolResult {
  if (more.length > 0 || !path.startsWith('/')) return { exitCode: 1, stderr: `tee: the stand-in takes one absolute path\n` };
  const at = join(root, path);
  const refused = (why: string): ToolResult => ({ exitCode: 1, stdout: input, stderr: `tee: ${path}: ${why}\n` });
  if (!existsSync(dirname(at))) return refused('No such file or directory');
  if (path.startsWith('/sys/')) {
    if (!existsSync(at)) return refused('Permission denied');
    return act(kernel, relative(root, realpathSync(at)), input.trim()) ? { stdout: input } : refused('Invalid argument');
  }
  writeFileSync(at, input);
  return { stdout: input };
}

function act(kernel: StandInKernel, path: string, input: string): boolean {
  const [, scanned] = /host(\d+)\/scan$/.exec(path) ?? [];
  if (scanned !== undefined) {
    const [, channel, target, lun] = /^(-|\d+) (-|\d+) (-|\d+)$/.exec(input) ?? [];
    if (lun === undefined) return false;
    if ((channel === '-' || channel === '0') && (target === '-' || target === '0')) {
      kernel.scan(Number(scanned), lun === '-' ? undefined : Number(lun));
    }
    return true;
  }
  const [, host, lun, attribute] = /(\d+):0:0:(\d+)\/(delete|rescan)$/.exec(path) ?? [];
  const session = [...kernel.sessions.values()].find((one) => one.host === Number(host));
  if (session === undefined || input !== '1') return false;
  if (attribute === 'delete') kernel.remove(session, Number(lun));
  else kernel.rescan(session, Number(lun));
  return true;
}

export function cat({ args: [path = '', ...more], root }: ToolRun): ToolResult {
  if (more.length > 0 || path.startsWith('-')) return { exitCode: 1, stderr: 'cat: the stand-in takes one file\n' };
  if (!existsSync(join(root, path))) return { exitCode: 1, stderr: `cat: ${path}: No such file or directory\n` };
  return { stdout: readFileSync(join(root, path), 'utf8') };
}

/** `rm -rf PATH`, of open-iscsi's records alone. */
export function rm({ args: [option, path = '', ...more], root }: ToolRun): ToolResult {
  if (option !== '-rf' || more.length > 0 || !path.startsWith('/etc/iscsi/nodes/')) {
    return { exitCode: 1, stderr: 'rm: the stand-in removes node records alone\n' };
  }
  rmSync(join(root, path), { recursive: true, force: true });
  return {};
}

/** `readlink -f PATH`: the whole chain up to the device node, which is a link to real bytes here. */
export function readlink({ args: [option, path = '', ...more], root }: ToolRun): ToolResult {
  if (option !== '-f' || more.length > 0) return { exitCode: 1, stderr: 'readlink: the stand-in takes -f and one path\n' };
  let at = path;
  while (dirname(at) !== '/dev' && lstatSync(join(root, at), { throwIfNoEntry: false })?.isSymbolicLink()) {
    at = resolve(dirname(at), readlinkSync(join(root, at)));
  }
  return existsSync(dirname(join(root, at))) ? { stdout: `${at}\n` } : { exitCode: 1 };
}

/** `blockdev --flushbufs DEVICE` and `--getsize64 DEVICE`. */
export function blockdev(kernel: StandInKernel, { args: [option = '', device = '', ...more], root }: ToolRun): ToolResult {
  if (!['--flushbufs', '--getsize64'].includes(option) || more.length > 0) {
    return { exitCode: 1, stderr: `blockdev: Unknown command: ${option}\n` };
  }
  const found = kernel.diskOf(device.replace('/dev/', ''));
  if (found === undefined) return { exitCode: 1, stderr: `blockdev: cannot open ${device}: No such file or directory\n` };
  if (option === '--getsize64') return { stdout: `${statSync(join(root, device)).size}\n` };
  if (found.session.target.dead) return { exitCode: 1, stderr: 'blockdev: ioctl error on BLKFLSBUF: Input/output error\n' };
  return {};
}

/** `find` for who has a device open, in the one form that is used. */
export function find(openers: ReadonlyMap<string, readonly number[]>, { args }: ToolRun): ToolResult {
  const [device = ''] = args.slice(9, 10);
  const form = `/proc -mindepth 3 -maxdepth 3 -path /proc/[1-9]*/fd/* ( -lname ${device} -o -lname ${device}[0-9]* )`;
  if (args.join(' ') !== form) return { exitCode: 1, stderr: `find: the stand-in takes ${form}\n` };
  const lines = (openers.get(device) ?? []).map((pid) => `/proc/${pid}/fd/7\n`);
  // Some process always ends meanwhile.
  return { exitCode: 1, stdout: lines.join(''), stderr: 'find: ‘/proc/99999’: No such file or directory\n' };
}
