import { secretVariables } from '../model/secret-variables.js';

const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The environment variable that marks a guarded tool and its children with the tool's token (see guard.ts). */
export const guardVariable = 'VBS_GUARD';

/** Marks a long-running command (see long-running.ts). */
export const processVariable = 'VBS_PROCESS';

/**
 * The whole environment of a tool: this process's, with messages in English, the folders of system tools also for other users than
 * root, and the marks of this tool only, not those that this process was itself started with; without the secrets of configurations.
 */
export function toolEnvironment(marks: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const folders = (process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  const path = [...folders, ...systemFolders.filter((folder) => !folders.includes(folder))].join(':');
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    const isWithheld = name === guardVariable || name === processVariable || secretVariables.has(name);
    if (value !== undefined && !isWithheld) environment[name] = value;
  }
  // LVM closes the inherited lock and would tell so on standard error each time.
  return { ...environment, PATH: path, LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1', ...marks };
}

/** An open file as execa takes it: any descriptor works, its types list those up to 9. */
export function asDescriptor(fd: number): 3 {
  return fd as 3;
}
