import type { Call, CommandRunner, Machine } from '@vbs/core';
import type { IscsiNames } from '@vbs/core/exporter-support';
import type { AccessList } from './access-list.js';
import type { commands } from './commands.js';
import type { Ietadm } from './ietadm.js';
import type { Proc, SeenTarget } from './proc.js';
import type { IetSettings } from './settings.js';

/** What the acts of one exporter share. */
export interface Tools {
  readonly settings: IetSettings;
  readonly names: IscsiNames;
  readonly ietadm: Ietadm;
  readonly proc: Proc;
  readonly list: AccessList;
  readonly commands: CommandRunner<typeof commands>;
  readonly machine: Machine;
}

/** What there is, seen at one look: the targets of the kernel, and the text of ietd's access list. */
export interface Look {
  readonly targets: readonly SeenTarget[];
  readonly allow: string;
}

export async function look(call: Call, { proc, list }: Tools): Promise<Look> {
  const [targets, allow] = await Promise.all([proc.targets(call), list.read(call)]);
  return { targets, allow };
}
