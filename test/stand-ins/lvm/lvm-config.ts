import { lvmUsage } from './options.js';

/** Which devices `--config` lets LVM look at. @throws ToolExit: it is no configuration. */
export function acceptsOf(config: string | undefined): (device: string) => boolean {
  if (config === undefined) return () => true;
  if (!/^([a-z_]+\{[^{}]*\}\s*)+$/.test(config)) throw lvmUsage(`  Failed to parse configuration: ${config}`);
  const [, list] = /global_filter=\[([^\n]*?)\](?:\s|\})/.exec(config) ?? [];
  if (list === undefined) return () => true;
  const rules = [...list.matchAll(/"([ar])\|(.*?)\|"/g)].map(([, kind, pattern = '']) => ({
    accept: kind === 'a',
    pattern: new RegExp(pattern),
  }));
  return (device) => rules.find(({ pattern }) => pattern.test(device))?.accept ?? true;
}

/** The stand-in knows no other unit. */
export function requireBytes(config: string | undefined): void {
  if (config?.includes('units="b"') && config.includes('suffix=0')) return;
  throw new TypeError('the stand-in reports in bytes alone');
}
