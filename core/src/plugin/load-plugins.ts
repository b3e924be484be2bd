import { VbsError } from '../errors.js';
import type { Plugin } from './define-plugin.js';
import { isPlugin, manifestFaults } from './manifest-faults.js';
import { resolvePlugin } from './resolve-plugin.js';
import { withinLimit } from './within-limit.js';

const importLimitMs = 30_000;

/** One fault of one plugin; `path` is its JSON pointer in the configuration. */
interface PluginFault {
  readonly path: string;
  readonly spec: string;
  readonly message: string;
}

type Loaded = { readonly manifest: unknown } | { readonly fault: string; readonly cause?: unknown };

function defaultExport(module: { readonly default?: unknown }): unknown {
  const exported = module.default;
  // A CommonJS module that a compiler made has its default export one level down.
  if (typeof exported === 'object' && exported !== null && '__esModule' in exported && 'default' in exported) return exported.default;
  return exported;
}

async function load(spec: string, baseDirectory: string): Promise<Loaded> {
  try {
    const resolved = resolvePlugin(spec, baseDirectory);
    if ('fault' in resolved) return resolved;
    const module: { readonly default?: unknown } = await withinLimit(
      import(resolved.url),
      importLimitMs,
      () => new VbsError('PLUGIN_INVALID', `its module did not end loading within ${importLimitMs} ms`),
    );
    const manifest = defaultExport(module);
    return manifest === undefined ? { fault: `its module has no default export; it must be what definePlugin answers` } : { manifest };
  } catch (error) {
    return { fault: `it failed while it was loaded: ${error instanceof Error ? error.message : String(error)}`, cause: error };
  }
}

/**
 * The plugins of a configuration by name: values as they are, others from their package or path. Names are looked up next to
 * the base directory, then next to VBS.
 * @throws PLUGIN_INVALID: a plugin is missing, fails while it is loaded, has a faulty manifest, speaks another version of the
 * interface, or bears the name of another; `context.faults` lists every fault of every plugin.
 */
export async function loadPlugins(list: readonly (string | Plugin)[], baseDirectory: string): Promise<ReadonlyMap<string, Plugin>> {
  const loaded = await Promise.all(
    list.map(async (entry): Promise<Loaded> => (typeof entry === 'string' ? load(entry, baseDirectory) : { manifest: entry })),
  );
  const plugins = new Map<string, Plugin>();
  const faults: PluginFault[] = [];
  const causes: unknown[] = [];
  for (const [index, result] of loaded.entries()) {
    const entry = list[index];
    const path = `/plugins/${index}`;
    const spec = typeof entry === 'string' ? entry : String(entry?.name ?? 'a value');
    if ('fault' in result) {
      faults.push({ path, spec, message: result.fault });
      if (result.cause !== undefined) causes.push(result.cause);
    } else if (!isPlugin(result.manifest)) {
      for (const message of manifestFaults(result.manifest)) faults.push({ path, spec, message });
    } else if (plugins.has(result.manifest.name)) {
      faults.push({ path, spec, message: `another plugin of this list has the name '${result.manifest.name}'; keep one of them` });
    } else {
      plugins.set(result.manifest.name, result.manifest);
    }
  }
  if (faults.length === 0) return plugins;
  throw new VbsError('PLUGIN_INVALID', faults.map(({ path, spec, message }) => `${path} (${spec}): ${message}`).join('\n'), {
    context: { faults },
    ...(causes.length === 0 ? {} : { cause: causes.length === 1 ? causes[0] : new AggregateError(causes) }),
  });
}
