import type { Tool, ToolResult } from '../frame/tool.js';
import { acceptsOf, requireBytes } from './lvm-config.js';
import { lastOf, lvmFailure, lvmUsage, type OptionTable, parseOptions, ToolExit } from './options.js';
import { rowsOf, type SectionRequest, sections } from './report.js';
import type { LvmWorld } from './world.js';

type Section = (typeof sections)[number];
const common: OptionTable = {
  config: { value: true },
  reportformat: { value: true },
  options: { letter: 'o', value: true },
  select: { letter: 'S', value: true },
  units: { value: true },
  nosuffix: {},
};

/** `lvs` and `vgs`: one section, as JSON and in bytes alone. */
export function reportTool(world: LvmWorld, tool: 'lvs' | 'vgs'): Tool {
  return ({ args }) => {
    const parsed = parseOptions(tool, args, common);
    requireJson(lastOf(parsed, 'reportformat'));
    if (lastOf(parsed, 'units') !== 'b' || lastOf(parsed, 'nosuffix') === undefined) requireBytes(lastOf(parsed, 'config'));
    requireGroup(world, parsed.words, lastOf(parsed, 'config'));
    const section = tool === 'lvs' ? 'lv' : 'vg';
    const fields = lastOf(parsed, 'options')?.split(',') ?? [];
    // vgs with fields of LVs shows a row for each LV, and none for a group without any.
    const shown = section === 'vg' && fields.some((field) => !field.startsWith('vg_')) ? 'lv' : section;
    return json({ [section]: rowsOf(world, shown, { fields, select: lastOf(parsed, 'select') }) });
  };
}

/** `lvm fullreport`: `--configreport` says which section the options behind it are about. */
export function fullReport(world: LvmWorld, args: readonly string[]): ToolResult {
  const parsed = parseOptions('fullreport', args, { ...common, configreport: { value: true } });
  requireJson(lastOf(parsed, 'reportformat'));
  requireBytes(lastOf(parsed, 'config'));
  requireGroup(world, parsed.words, lastOf(parsed, 'config'), '{"report": []}\n');
  const asked = new Map<Section, SectionRequest>(sections.map((section) => [section, { fields: usualFields[section], select: undefined }]));
  let current: Section | undefined;
  for (const [name, value] of parsed.given) {
    if (name === 'configreport') current = requireSection(value);
    if (name !== 'options' && name !== 'select') continue;
    if (current === undefined) throw lvmFailure('No report selected.');
    const before = asked.get(current) ?? { fields: [], select: undefined };
    asked.set(current, name === 'options' ? { ...before, fields: value.split(',') } : { ...before, select: value });
  }
  return json(Object.fromEntries([...asked].map(([section, request]) => [section, rowsOf(world, section, request)])));
}

export function lvmTool(world: LvmWorld): Tool {
  return ({ args: [name = '', ...args] }) => {
    if (name === 'fullreport') return fullReport(world, args);
    throw new ToolExit({ exitCode: 2, stderr: `  No such command '${name}'.  Try 'help'.\n` });
  };
}

export function lvmconfigTool(world: LvmWorld): Tool {
  return ({ args }) => {
    const parsed = parseOptions('lvmconfig', args, { config: { value: true }, typeconfig: { value: true } });
    acceptsOf(lastOf(parsed, 'config'));
    const lines = parsed.words.map((word) => {
      const name = word.split('/')[1] ?? '';
      const value = Object.hasOwn(world.lvmconf, name) ? world.lvmconf[name] : undefined;
      if (value === undefined) throw lvmFailure(`Configuration node ${word} not found`);
      return `${name}=${value}\n`;
    });
    return { stdout: lines.join('') };
  };
}

const usualFields: Readonly<Record<Section, readonly string[]>> = {
  vg: ['vg_name'],
  pv: ['pv_name'],
  lv: ['lv_name'],
  pvseg: ['pvseg_size'],
  seg: ['seg_size'],
};

function requireSection(value: string): Section {
  const found = sections.find((section) => section === value);
  if (found === undefined) throw lvmUsage(`  Invalid argument for --configreport: ${value}`);
  return found;
}

function requireJson(format: string | undefined): void {
  if (format !== 'json') throw new TypeError('the stand-in reports as JSON alone');
}

/** What a report has begun with is there also where it then fails. */
function requireGroup(world: LvmWorld, words: readonly string[], config: string | undefined, stdout = ''): void {
  world.requirePresent(acceptsOf(config));
  for (const word of words) {
    if (word === world.group) continue;
    const { result } = lvmFailure(`Volume group "${word}" not found`, `Cannot process volume group ${word}`);
    throw new ToolExit({ ...result, stdout });
  }
}

function json(report: Readonly<Record<string, readonly object[]>>): ToolResult {
  return { stdout: `${JSON.stringify({ report: [report] }, null, 4)}\n` };
}
