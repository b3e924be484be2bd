import type { ToolResult, ToolRun } from '../frame/tool.js';
import type { IetWorld } from './iet-world.js';

const major = 'fd';

/** coreutils' stat in the one form that is used: of a file, or of what is a block device on this machine. */
export function stat(world: IetWorld, { args }: ToolRun): ToolResult {
  const [dereference, format, path = '', ...more] = args;
  if (dereference !== '--dereference' || format !== '--format=%f:%s:%t:%T' || path === '' || more.length > 0) {
    return { exitCode: 1, stderr: "stat: the stand-in knows one form\nTry 'stat --help' for more information.\n" };
  }
  const size = world.sizeOf(path);
  if (size === undefined) return { exitCode: 1, stderr: `stat: cannot statx '${path}': No such file or directory\n` };
  const minor = world.devices.get(path);
  return { stdout: minor === undefined ? `81a4:${size}:0:0\n` : `61b0:0:${major}:${minor.toString(16)}\n` };
}
