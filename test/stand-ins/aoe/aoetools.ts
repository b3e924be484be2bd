import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { ToolResult, Tools } from '../frame/tool.js';
import type { AoeNode, KernelDevice } from './aoe-node.js';

const failed = (stderr: string, stdout = ''): ToolResult => ({ exitCode: 1, stderr, stdout });

/** As aoe-stat's printf. */
function statLine({ key, sectors, netif, state, opens }: KernelDevice, payload: number): string {
  const thousandths = Math.floor((512 * sectors) / 1_000_000);
  const size = `${String(thousandths)
    .padStart(4, '0')
    .replace(/(...)$/, '.$1')}GB`;
  const shown = state === 'up' ? 'up' : opens > 0 ? 'down,closewait' : 'down';
  return `${key.padStart(10)} ${size.padStart(15)} ${netif.padStart(10)} ${String(payload).padEnd(5)} ${shown.padEnd(14)}\n`;
}

/** aoetools 36, on a node. */
export function aoetools(node: AoeNode): Tools {
  const unwritable = (tool: string, device: string, dot = '.'): ToolResult | undefined =>
    node.isLoaded ? undefined : failed(`${tool}: /dev/etherd/${device} does not exist or is not writeable${dot}\n`);
  return {
    'aoe-discover': () => {
      const refusal = unwritable('aoe-discover', 'discover');
      if (refusal !== undefined) return refusal;
      node.discover();
      return {};
    },
    'aoe-stat': ({ args: [filter = '.'] }) => {
      const lines = [...node.devices.values()].map((device) => statLine(device, node.payload)).sort();
      const found = lines.filter((line) => new RegExp(filter).test(line.trimEnd()));
      return { stdout: found.join(''), exitCode: found.length > 0 ? 0 : 1 };
    },
    'aoe-revalidate': ({ args }) => {
      if (args.join('') === '') return failed('Usage: aoe-revalidate e{major}.{minor}\n');
      const refusal = unwritable('aoe-revalidate', 'revalidate', '');
      if (refusal !== undefined) return refusal;
      // As sscanf(buf, "e%d.%d") reads it, from at most 15 bytes with the line's end.
      const text = `${args.join(' ')}\n`;
      const [, shelf, slot] = /^e(\d+)\.(\d+)/.exec(text) ?? [];
      const isTaken = text.length < 16 && shelf !== undefined && node.revalidate(`e${Number(shelf)}.${Number(slot)}`);
      return isTaken ? {} : failed('/usr/sbin/aoe-revalidate: 22: echo: echo: I/O error\naoe-revalidate: revalidate failed\n');
    },
    'aoe-flush': async ({ args }) => {
      const refusal = unwritable('aoe-flush', 'flush');
      if (refusal !== undefined) return refusal;
      if ((args[0] ?? '') === '') {
        await node.flush('\n');
        return {};
      }
      const named = args[0] === '-a' ? ['all'] : args.join(' ').split(/\s+/);
      const strange = args[0] === '-a' ? [] : named.filter((name) => !node.devices.has(name));
      // The script sends this to its standard output.
      if (strange.length > 0) return failed('', strange.map((name) => `aoe-flush Error: "${name}" is not an aoe device\n`).join(''));
      for (const name of named) await node.flush(name);
      return {};
    },
    'aoe-interfaces': async ({ args, root }) => {
      if (args.join('') === '') return node.isLoaded ? { stdout: `${node.allowed.join(' ')}\n` } : { exitCode: 1 };
      if (args[0] === '-c' && args.length > 1) return failed('aoe-interfaces Error: -c flag takes no arguments\n');
      const names = args[0] === '-c' ? [] : args.join(' ').split(/\s+/);
      const isThere = (name: string): Promise<boolean> =>
        access(join(root, 'sys/class/net', name)).then(
          () => true,
          () => false,
        );
      const strange: string[] = [];
      for (const name of names) if (!(await isThere(name))) strange.push(name);
      if (strange.length > 0) return failed(strange.map((name) => `aoe-interfaces Error: "${name}" is not a network interface\n`).join(''));
      const refusal = unwritable('aoe-interfaces', 'interfaces');
      if (refusal !== undefined) return refusal;
      node.allowed = names;
      await node.write('sys/module/aoe/parameters/aoe_iflist', `${names.join(' ')}\n`);
      return {};
    },
  };
}
