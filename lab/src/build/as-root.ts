import { runTool, type ToolOptions } from '../tools.js';

/**
 * Runs a tool to which this user is root: in a user namespace of its own where it is not, so that the files which this user unpacked are
 * root's in what is written from them. @throws as `runTool`; INTERNAL: this machine allows no user namespaces (user_namespaces(7)).
 */
export function runAsRoot(tool: string, words: readonly string[], options?: ToolOptions): Promise<Buffer> {
  if (process.getuid?.() === 0) return runTool(tool, words, options);
  return runTool('unshare', ['--map-root-user', '--', tool, ...words], options);
}
