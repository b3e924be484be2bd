import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Node } from '../../plugins/iscsi/iscsi-fixture.js';
import { FaultPlan } from '../../stand-ins/frame/faults.js';
import { StandInMachine } from '../../stand-ins/frame/stand-in-machine.js';
import type { ToolResult, ToolRun, Tools } from '../../stand-ins/frame/tool.js';

/** The stand-in node of iSCSI with the further tools and the one link of sysfs that the README's initiator goes by. */
export class CommandNode extends Node {
  readonly commandTools: Tools;
  readonly commandMachine: StandInMachine;

  constructor(directory: string) {
    super(directory);
    mkdirSync(join(this.root, 'dev/disk/by-path'), { recursive: true });
    const { tools } = this.iscsi;
    const linked =
      (name: string) =>
      async (run: ToolRun): Promise<ToolResult> => {
        const result = await tools[name]?.(run);
        linkDevices(this.root);
        return result ?? { exitCode: 127 };
      };
    this.commandTools = {
      ...tools,
      iscsiadm: linked('iscsiadm'),
      tee: linked('tee'),
      find: (run) => (run.args[0] === '/dev/disk/by-path' ? listLinks(run) : (tools.find?.(run) ?? { exitCode: 127 })),
      lsblk,
    };
    this.commandMachine = this.newMachine(this.faults);
  }

  newMachine(faults: FaultPlan = new FaultPlan()): StandInMachine {
    const { root, directory } = this;
    return new StandInMachine({ name: 'node1', root, stateDirectory: join(directory, 'node-state'), tools: this.commandTools, faults });
  }
}

/** `/sys/block/sda/device`, as every kernel has it. */
function linkDevices(root: string): void {
  for (const name of readdirSync(join(root, 'sys/block'))) {
    const link = join(root, 'sys/block', name, 'device');
    if (lstatSync(link, { throwIfNoEntry: false }) === undefined) symlinkSync('../..', link);
  }
}

function listLinks({ args, root }: ToolRun): ToolResult {
  const [folder = '', ...more] = args;
  if (more.join(' ') !== '-type l -printf %p|%l\\n') return { exitCode: 1, stderr: `find: unknown predicate ${more.join(' ')}\n` };
  const at = join(root, folder);
  if (!existsSync(at)) return { exitCode: 1, stderr: `find: ‘${folder}’: No such file or directory\n` };
  const lines = readdirSync(at).map((name) => `${folder}/${name}|${readlinkSync(join(at, name))}\n`);
  return { stdout: lines.join('') };
}

/** Mount points of one disk, as `lsblk --noheadings --raw --output MOUNTPOINTS` prints them: an empty line where there is none. */
function lsblk({ args, root }: ToolRun): ToolResult {
  const [disk, ...options] = [...args].reverse();
  if (options.reverse().join(' ') !== '--noheadings --raw --output MOUNTPOINTS' || disk === undefined) {
    return { exitCode: 1, stderr: `lsblk: unrecognized option ${args.join(' ')}\n` };
  }
  const name = disk.replace('/dev/', '');
  const number = join(root, 'sys/block', name, 'dev');
  if (!existsSync(number)) return { exitCode: 32, stderr: `lsblk: ${disk}: not a block device\n` };
  const device = readFileSync(number, 'utf8').trim();
  const mounts = readFileSync(join(root, 'proc/self/mountinfo'), 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , found]) => found === device);
  return { stdout: mounts.length === 0 ? '\n' : mounts.map(([, , , , point]) => `${point}\n`).join('') };
}
