import { type Access, configInvalid, parsePattern } from '@vbs/core';
import type { ErrorRule } from '../rules/errors.js';
import { Faults } from '../rules/faults.js';
import type { OutputRule } from '../rules/output.js';
import { type CommandHypervisorConfig, hypervisorDefaults, type SlotRule } from './config.js';

/** A configuration that was found able to tell what it has to. */
export interface HypervisorRules {
  readonly identify: OutputRule;
  readonly list: OutputRule;
  readonly attach: string;
  readonly detach: string;
  readonly slots: readonly SlotRule[];
  readonly slotHelp: string;
  readonly mode: Readonly<Record<Access, string>>;
  /** Undefined where a line tells none. */
  readonly access: Readonly<Record<string, Access>> | undefined;
  readonly state: Readonly<Record<string, 'attached' | 'changing'>> | undefined;
  /** `list` is run for each VM. */
  readonly listsEach: boolean;
  readonly tellsRunning: boolean;
  readonly capabilities: ReadonlySet<'hotplug' | 'read-only'>;
  readonly errors: readonly ErrorRule[];
  readonly attachTimeoutMs: number;
}

const attachValues = ['vmId', 'vmmDev', 'vmDev', 'mode', 'access', 'serial', 'sizeBytes'];
const noLooking = 'an exit code alone decides nothing (safety A1): a hypervisor must be able to look';

/** @throws CONFIG_INVALID: `context.faults` lists everything that keeps this configuration from its contract. */
export function hypervisorRules(name: string, config: CommandHypervisorConfig): HypervisorRules {
  const faults = new Faults();
  const { identify, list, attach, detach, errors = [], slots } = config;
  const known = checkIdentify(faults, identify);
  const listed = checkList(faults, list, known);
  const options = ['vmDev'];
  const put = faults.pattern(['attach'], attach, { legal: attachValues, required: ['vmId', 'vmmDev', 'vmDev'], options });
  faults.pattern(['detach'], detach, { legal: ['vmId', 'vmDev', 'vmmDev'], required: ['vmId', 'vmDev'], options });
  checkSlots(faults, slots);
  faults.errors(errors);
  const used = put?.placeholders ?? new Set<string>();
  checkWords(faults, config, used, listed);
  if (faults.found.length > 0 || identify === undefined || list === undefined)
    throw configInvalid(`the configuration of ${name}`, faults.found);
  const { hotplug, attachTimeoutSeconds } = { ...hypervisorDefaults, ...config };
  const isReadOnly = used.has('mode') || used.has('access');
  return {
    identify,
    list,
    attach,
    detach,
    slots,
    slotHelp: config.slotHelp ?? slots.map(({ match }) => match).join(', '),
    mode: config.mode ?? { 'read-write': 'read-write', 'read-only': 'read-only' },
    access: listed.has('access') ? config.access : undefined,
    state: listed.has('state') ? config.state : undefined,
    listsEach: parsePattern('list', list.run).placeholders.has('vmId'),
    tellsRunning: known.has('running'),
    capabilities: new Set([...(hotplug ? (['hotplug'] as const) : []), ...(isReadOnly ? (['read-only'] as const) : [])]),
    errors,
    attachTimeoutMs: attachTimeoutSeconds * 1000,
  };
}

function checkIdentify(faults: Faults, rule: OutputRule | undefined): ReadonlySet<string> {
  if (rule === undefined) {
    faults.add(['identify'], `is missing: give the command that lists the VMs, and lines with the group (?<vm>…); ${noLooking}`);
    return new Set();
  }
  const groups = faults.output(['identify'], rule, { legal: [] }, ['vm', 'alias', 'running']);
  for (const [index, names] of groups.entries()) {
    if (!names.includes('vm')) faults.add(['identify', 'lines', index], 'tells no VM: it needs the group (?<vm>…)');
  }
  return new Set(groups.flat());
}

function checkList(faults: Faults, rule: OutputRule | undefined, known: ReadonlySet<string>): ReadonlySet<string> {
  if (rule === undefined) {
    const needs = 'lines with the groups (?<slot>…) and (?<source>…)';
    faults.add(['list'], `is missing: give the command that lists the disks, and ${needs}; ${noLooking}`);
    return new Set();
  }
  const legal = ['vm', 'alias', 'slot', 'source', 'access', 'state'];
  const groups = faults.output(['list'], rule, { legal: ['vmId'] }, legal);
  const isEach = rule.run.includes('<vmId>');
  for (const [index, names] of groups.entries()) {
    const at = ['list', 'lines', index];
    if (!names.includes('slot')) faults.add(at, 'tells no slot: it needs the group (?<slot>…)');
    const owners = names.filter((name) => name === 'vm' || name === 'alias');
    if (isEach && owners.length > 0)
      faults.add(at, `has the group (?<${owners[0]}>…), and the command is run for <vmId> alone: leave it out`);
    if (!isEach && owners.length !== 1) {
      faults.add(at, 'must tell whose the disk is by one of the groups (?<vm>…) and (?<alias>…), or the command must take <vmId>');
    }
    if (names.includes('alias') && !known.has('alias')) faults.add(at, 'has the group (?<alias>…), and no line of identify has it');
  }
  const all = new Set(groups.flat());
  if (!all.has('source')) {
    const why = 'nobody could tell which volume is in a slot before it is taken out (safety E3)';
    faults.add(['list', 'lines'], `no line tells the source: one needs the group (?<source>…), else ${why}`);
  }
  return all;
}

function checkSlots(faults: Faults, slots: readonly SlotRule[]): void {
  for (const [index, { match, name }] of slots.entries()) {
    const groups = faults.expression(['slots', index, 'match'], match, ['name']);
    if (name !== undefined && groups.includes('name')) {
      faults.add(['slots', index], 'has a "name" and the group (?<name>…): leave one of them out');
    }
  }
}

/** Placeholders, groups and the maps of their words belong together. */
function checkWords(faults: Faults, config: CommandHypervisorConfig, used: ReadonlySet<string>, listed: ReadonlySet<string>): void {
  const { mode, access, state, list } = config;
  if (used.has('mode') && mode === undefined) {
    faults.add(['mode'], 'is missing: attach has <mode>. Give its words, such as { "read-write": "w", "read-only": "r" }');
  }
  if (mode !== undefined && !used.has('mode')) faults.add(['mode'], 'is of no use: attach has no <mode>');
  if (mode !== undefined && mode['read-write'] === mode['read-only'])
    faults.add(['mode'], 'has one word for both: nothing would be read-only');
  for (const [group, map] of Object.entries({ access, state })) {
    if (listed.has(group) && map === undefined)
      faults.add([group], `is missing: list has the group (?<${group}>…). Say what its words mean`);
    if (map !== undefined && list !== undefined && !listed.has(group))
      faults.add([group], `is of no use: no line of list has the group (?<${group}>…)`);
  }
  if (state !== undefined && !Object.values(state).includes('attached')) faults.add(['state'], 'has no word that means attached');
  if ((used.has('mode') || used.has('access')) && list !== undefined && !listed.has('access')) {
    const advice = 'add the group (?<access>…) to list, or write the mode for writing into attach in place of the placeholder';
    faults.add(['attach'], `may make disks read-only, and nothing tells which are: ${advice}`);
  }
}
