import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ToolResult, Tools } from '../frame/tool.js';

const wrong = (tool: string, args: readonly string[]): ToolResult => ({
  exitCode: 2,
  stderr: `stand-in: ${tool} is not known with the words ${args.join(' ')}\n`,
});

/** The tools beside vblade that an exporter runs, as far as it runs them. */
export function surroundingTools(
  interfaces: Readonly<Record<string, 'up' | 'down'>>,
  blades: () => ReadonlyMap<number, readonly string[]>,
): Tools {
  return {
    ps: ({ args }) => {
      if (args.join(' ') !== '-C vblade -ww -o pid=,args=') return wrong('ps', args);
      const lines = [...blades()].map(([pid, words]) => `${String(pid).padStart(7)} vblade ${words.join(' ')}\n`);
      return { exitCode: lines.length === 0 ? 1 : 0, stdout: lines.join('') };
    },
    blockdev: ({ args, root }) => {
      const [option, path, ...more] = args;
      if (option !== '--getsize64' || path === undefined || more.length > 0) return wrong('blockdev', args);
      const file = join(root, path);
      if (!existsSync(file)) return { exitCode: 1, stderr: `blockdev: cannot open ${path}: No such file or directory\n` };
      return { stdout: `${statSync(file).size}\n` };
    },
    stat: ({ args, root }) => {
      const [dereference, format, path, ...more] = args;
      if (dereference !== '--dereference' || format !== '--format=%s' || path === undefined || more.length > 0) return wrong('stat', args);
      const file = join(root, path);
      if (!existsSync(file)) return { exitCode: 1, stderr: `stat: cannot statx '${path}': No such file or directory\n` };
      return { stdout: `${statSync(file).size}\n` };
    },
    cat: ({ args }) => {
      const [path = ''] = args;
      const [, netif] = /^\/sys\/class\/net\/([^/]+)\/operstate$/.exec(path) ?? [];
      const state = netif === undefined ? undefined : interfaces[netif];
      if (state === undefined) return { exitCode: 1, stderr: `cat: ${path}: No such file or directory\n` };
      return { stdout: `${state}\n` };
    },
    mkdir: ({ args, root }) => {
      const [parents, mode, octal, path, ...more] = args;
      if (parents !== '-p' || mode !== '-m' || octal === undefined || path === undefined || more.length > 0) return wrong('mkdir', args);
      mkdirSync(join(root, path), { recursive: true, mode: Number.parseInt(octal, 8) });
      return {};
    },
    rm: ({ args, root }) => {
      const [force, path, ...more] = args;
      if (force !== '-f' || path === undefined || more.length > 0) return wrong('rm', args);
      rmSync(join(root, path), { force: true });
      return {};
    },
  };
}
