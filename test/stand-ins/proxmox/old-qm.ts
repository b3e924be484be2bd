import type { Tool } from '../frame/tool.js';
import { formatSize, isSlot, parseDrive, printDrive } from './drive-text.js';
import { Refusal } from './refusal.js';
import type { ProxmoxWorld } from './world.js';

/** qm of Proxmox VE 1 (2010): `set` edits the configuration and nothing else, and `undef` removes. */
export function oldQm(world: ProxmoxWorld): Tool {
  return ({ args }) => {
    const [command = '', text = '', ...words] = args;
    const vmid = Number(text);
    try {
      if (command === 'list')
        return {
          stdout: world
            .vmids()
            .map((id) => `${id}\n`)
            .join(''),
        };
      if (command === 'status') {
        world.load(vmid);
        return { stdout: world.running.has(vmid) ? 'running\n' : 'stopped\n' };
      }
      if (command !== 'set' || words.length === 0) throw new Refusal('usage: qm <COMMAND> [ARGS] [OPTIONS]');
      const config = world.load(vmid);
      for (let at = 0; at < words.length; at += 2) {
        const [name = '', value = ''] = [(words[at] ?? '').replace(/^--?/, ''), words[at + 1]];
        if (!isSlot(name)) throw new Refusal(`Unknown option: ${name}`);
        if (value === 'undef') config.current.delete(name);
        else config.current.set(name, sized(world, name, value));
      }
      world.save(vmid, config);
      return {};
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { exitCode: error.exitCode, stderr: `${error.message}\n` };
    }
  };
}

function sized(world: ProxmoxWorld, slot: string, text: string): string {
  const options = parseDrive(slot, text);
  const file = options.get('file') ?? '';
  const size = world.deviceSize(file);
  if (size === undefined) throw new Refusal(`unable to open file '${file}'`);
  return printDrive(options.set('size', formatSize(size)));
}
