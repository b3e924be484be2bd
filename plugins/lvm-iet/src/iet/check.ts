import { type Call, toVbsError, unlessCode } from '@vbs/core';
import { decidingLine, ownLine } from './allow-file.js';
import type { SeenTarget } from './proc.js';
import type { Tools } from './tools.js';

/** The list that ietd reads, and the one that it reads where that is not there. */
const usualLists = ['/etc/iet/initiators.allow', '/etc/initiators.allow'] as const;

/** A sentence for each thing that is amiss: the tool, ietd, the kernel module, the access list, and lines that let others in to our targets. */
export async function checkIet(call: Call, tools: Tools): Promise<readonly string[]> {
  const { ietadm, proc, list, settings } = tools;
  const faults: string[] = [];
  const attempt = async <T>(act: Promise<T>): Promise<T | undefined> => {
    try {
      return await act;
    } catch (error) {
      faults.push(toVbsError(error).message);
      return undefined;
    }
  };
  const [version, targets, allow] = await Promise.all([
    attempt(ietadm.version(call)),
    attempt(proc.targets(call)),
    attempt(list.read(call)),
    attempt(list.refuseDenyFile(call)),
  ]);
  if (version !== undefined && !/^ietadm version (0\.4|1\.4)/.test(version)) {
    faults.push(`ietadm tells its version as ${JSON.stringify(version.slice(0, 80))}; VBS knows 0.4.15 to 1.4.20.`);
  }
  const [first] = usualLists;
  if (settings.initiatorsAllow === usualLists[1] && (await unlessCode('NOT_FOUND', tools.machine.readFile(call, first))) !== undefined) {
    faults.push(`ietd reads ${first}, which is there, and not ${settings.initiatorsAllow}: set "initiatorsAllow".`);
  }
  if (targets !== undefined && allow !== undefined) faults.push(...targets.flatMap((target) => shadowed(tools, target, allow)));
  return faults;
}

/** Whether somebody else's line decides who may log in to one of our targets. */
function shadowed({ names, settings }: Tools, { iqn }: SeenTarget, allow: string): readonly string[] {
  if (names.exportId(iqn) === undefined) return [];
  const deciding = decidingLine(allow, iqn);
  if (deciding === undefined) {
    return ownLine(allow, iqn) === undefined
      ? [`${settings.initiatorsAllow} has no line for ${iqn} any more: nobody can log in to it.`]
      : [];
  }
  if ('own' in deciding) return [];
  return [
    `Line ${deciding.number} of ${settings.initiatorsAllow} (${JSON.stringify(deciding.foreign.slice(0, 120))}) decides for ${iqn}, and not the line of VBS: whom it names is let in. Put it below the lines of VBS.`,
  ];
}
