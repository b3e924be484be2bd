import { createRequire, isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

type Resolved = { readonly url: string } | { readonly fault: string };

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function packageName(spec: string): string {
  return spec
    .split('/')
    .slice(0, spec.startsWith('@') ? 2 : 1)
    .join('/');
}

function resolvePath(spec: string, baseDirectory: string): Resolved {
  const file = spec.startsWith('file:') ? fileURLToPath(spec) : path.resolve(baseDirectory, spec);
  try {
    return { url: pathToFileURL(createRequire(path.join(baseDirectory, 'vbs.yaml')).resolve(file)).href };
  } catch (error) {
    if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    return { fault: `there is no module ${file}; paths start from ${baseDirectory}` };
  }
}

function resolveName(spec: string, baseDirectory: string): Resolved {
  let unexported = false;
  try {
    return { url: pathToFileURL(createRequire(path.join(baseDirectory, 'vbs.yaml')).resolve(spec)).href };
  } catch (error) {
    unexported = codeOf(error) === 'ERR_PACKAGE_PATH_NOT_EXPORTED';
    if (!unexported && codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
  }
  try {
    return { url: import.meta.resolve(spec) };
  } catch (error) {
    if (unexported || codeOf(error) === 'ERR_PACKAGE_PATH_NOT_EXPORTED') {
      return { fault: `the package is there and exports no ${spec} under 'default'; name its file by a path instead` };
    }
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    return {
      fault: `there is no such package; run \`npm install ${packageName(spec)}\` in ${baseDirectory}, or give a path that starts with ./`,
    };
  }
}

/**
 * The URL of a plugin's module: a path (`./…`, `../…`, `/…`, `file:…`) from the base directory, a package's name next to the
 * base directory or else next to VBS.
 */
export function resolvePlugin(spec: string, baseDirectory: string): Resolved {
  if (isBuiltin(spec)) return { fault: 'this is a module of Node.js, not a plugin' };
  return /^(\.{1,2}\/|\/|file:)/.test(spec) ? resolvePath(spec, baseDirectory) : resolveName(spec, baseDirectory);
}
