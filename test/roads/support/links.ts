import { lstatSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';

/** Where the disks of VMs are links. */
export const vmFolder = '/run/vbs-vms';

/** ln, rm and find in the forms in which the hypervisor of links uses them; other forms are those of the tools given. */
export function withLinkTools(tools: Tools): Tools {
  const { rm, find } = tools;
  const isOurs = (path: string | undefined): boolean => path?.startsWith(vmFolder) === true;
  const beside =
    (own: Tool, other: Tool | undefined, name: string): Tool =>
    (run) =>
      run.args.some(isOurs) ? own(run) : (other?.(run) ?? { exitCode: 2, stderr: `${name}: the stand-in works in ${vmFolder} alone\n` });
  return { ...tools, ln: beside(makeLink, undefined, 'ln'), rm: beside(removeLink, rm, 'rm'), find: beside(listLinks, find, 'find') };
}

const makeLink: Tool = ({ args: [symbolic, noDereference, to = '', link = '', ...more], root }) => {
  if (symbolic !== '-s' || noDereference !== '-n' || more.length > 0) return { exitCode: 1, stderr: 'ln: the stand-in knows one form\n' };
  if (lstatSync(join(root, link), { throwIfNoEntry: false }) !== undefined) {
    return { exitCode: 1, stderr: `ln: failed to create symbolic link '${link}': File exists\n` };
  }
  symlinkSync(to, join(root, link));
  return {};
};

const removeLink: Tool = ({ args: [force, link = '', ...more], root }) => {
  if (force !== '-f' || more.length > 0) return { exitCode: 1, stderr: 'rm: the stand-in knows one form\n' };
  rmSync(join(root, link), { force: true });
  return {};
};

const listLinks: Tool = ({ args: [folder = '', ...tests], root }) => {
  if (tests.join(' ') !== '-mindepth 2 -maxdepth 2 -type l -printf %P\\t%l\\n') {
    return { exitCode: 1, stderr: 'find: the stand-in knows one form\n' };
  }
  const lines = readdirSync(join(root, folder)).flatMap((vm) =>
    readdirSync(join(root, folder, vm)).map((slot) => `${vm}/${slot}\t${readlinkSync(join(root, folder, vm, slot))}\n`),
  );
  return { stdout: lines.join('') };
};
