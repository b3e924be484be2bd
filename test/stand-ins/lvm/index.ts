import type { Tool, Tools } from '../frame/tool.js';
import { blkdiscardTool, ddTool } from './byte-tools.js';
import { lvchangeTool, lvextendTool, lvremoveTool, vgchangeTool } from './change-tools.js';
import { lvcreateTool } from './lvcreate.js';
import { ToolExit } from './options.js';
import { lvmconfigTool, lvmTool, reportTool } from './report-tools.js';
import type { LvmWorld } from './world.js';

export { LvmWorld, type StandInLv } from './world.js';

/** LVM 2.03.16, and what copies and clears volumes, on one volume group. */
export function lvmTools(world: LvmWorld): Tools {
  return {
    lvm: exits(lvmTool(world)),
    lvs: exits(reportTool(world, 'lvs')),
    vgs: exits(reportTool(world, 'vgs')),
    lvmconfig: exits(lvmconfigTool(world)),
    lvcreate: exits(lvcreateTool(world)),
    lvremove: exits(lvremoveTool(world)),
    lvextend: exits(lvextendTool(world)),
    lvchange: exits(lvchangeTool(world)),
    vgchange: exits(vgchangeTool(world)),
    dd: exits(ddTool(world)),
    blkdiscard: exits(blkdiscardTool(world)),
  };
}

/** The same on several groups of one machine: each command says which it is about. */
export function lvmToolsOf(worldsOf: () => readonly LvmWorld[]): Tools {
  const names = ['lvm', 'lvs', 'vgs', 'lvmconfig', 'lvcreate', 'lvremove', 'lvextend', 'lvchange', 'vgchange', 'dd', 'blkdiscard'];
  const tool =
    (name: string): Tool =>
    (run) => {
      const worlds = worldsOf();
      const about = (group: string) => (word: string) => word === group || word.startsWith(`${group}/`) || word.includes(`/dev/${group}/`);
      const world = worlds.find(({ group }) => run.args.some(about(group))) ?? worlds[0];
      if (world === undefined) throw new TypeError('the stand-in has no group');
      return lvmTools(world)[name]?.(run) ?? {};
    };
  return Object.fromEntries(names.map((name) => [name, tool(name)]));
}

function exits(tool: Tool): Tool {
  return async (run) => {
    try {
      return await tool(run);
    } catch (error) {
      if (error instanceof ToolExit) return error.result;
      throw error;
    }
  };
}
