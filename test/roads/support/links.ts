import { lstatSync, mkdirSync, readdirSync, readlinkSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import nodeVms from '@vbs/lab/node-vms';
import { fileIo } from '../../conformance/file-io.js';
import type { Tool, Tools } from '../../stand-ins/frame/tool.js';
import { type GuestDisk, type NodeVms, xvdSlot } from './node-vms.js';

/** Where the disks of VMs are links. */
const vmFolder = '/run/vbs-vms';

/** The node's VMs are folders, with a link for each disk. */
export class LinkVms implements NodeVms {
  readonly tools: Tools;
  readonly plugin = nodeVms;
  readonly configuration = { plugin: 'node-vms', directory: vmFolder };
  readonly ids = ['vm1', 'vm2'] as const;

  constructor(
    private readonly root: string,
    tools: Tools,
  ) {
    for (const vm of this.ids) mkdirSync(this.#real(vm), { recursive: true });
    this.tools = withLinkTools(tools);
  }

  slot(nth: number): string {
    return xvdSlot(nth);
  }

  disk(vm: string, slot: string): GuestDisk {
    const file = realpathSync(join(this.root, readlinkSync(this.#real(vm, slot))));
    const locator = { kind: 'file', path: file } as const;
    return {
      sizeBytes: statSync(file).size,
      read: (...where) => fileIo.read(locator, ...where),
      write: (...what) => fileIo.write(locator, ...what),
    };
  }

  left(): readonly string[] {
    return this.ids.flatMap((vm) => readdirSync(this.#real(vm)).map((slot) => `${vm} ${slot}`));
  }

  /** A link has nothing open. */
  held(): readonly string[] {
    return [];
  }

  occupy(vm: string, slot: string): () => void {
    const link = this.#real(vm, slot);
    symlinkSync('/dev/foreign', link);
    return () => rmSync(link);
  }

  #real(...names: readonly string[]): string {
    return join(this.root, vmFolder, ...names);
  }
}

/** ln, rm and find in the forms in which the hypervisor of links uses them; other forms are those of the tools given. */
function withLinkTools(tools: Tools): Tools {
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
