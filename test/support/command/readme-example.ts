import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const readme = readFileSync(fileURLToPath(new URL('../../../../plugins/command/README.md', import.meta.url)), 'utf8');

interface Example {
  readonly vmmNodes: Readonly<
    Record<
      string,
      { readonly hypervisor?: Record<string, unknown>; readonly initiators?: Readonly<Record<string, Record<string, unknown>>> }
    >
  >;
}

/** The keys of the one instance of an example of the README, without `plugin`. */
export function readmeExample(name: string): Record<string, unknown> {
  const [, text] = new RegExp(`<!-- example: ${name} -->\n\`\`\`yaml\n([\\s\\S]*?)\`\`\``).exec(readme) ?? [];
  if (text === undefined) throw new TypeError(`the README has no example ${name}`);
  const [node] = Object.values((parse(text) as Example).vmmNodes);
  const instance = node?.hypervisor ?? Object.values(node?.initiators ?? {})[0];
  if (instance === undefined) throw new TypeError(`the example ${name} has no instance`);
  const { plugin: _plugin, ...keys } = instance;
  return keys;
}
