import { configInvalid } from '@vbs/core';
import type { ErrorRule } from '../rules/errors.js';
import { Faults } from '../rules/faults.js';
import type { OutputRule } from '../rules/output.js';
import { type CommandInitiatorConfig, initiatorDefaults, type Step } from './config.js';
import { connectionGroups, connectionValues } from './iscsi.js';

/** A configuration that was found able to tell what it has to. */
export interface InitiatorRules {
  readonly identity: OutputRule;
  readonly list: OutputRule;
  readonly device: string;
  readonly size: string;
  readonly readOnly: string | undefined;
  readonly serial: { readonly path: string; readonly match: string };
  readonly connect: readonly Step[];
  readonly disconnect: readonly Step[];
  readonly holders: readonly OutputRule[];
  readonly extend: readonly Step[];
  readonly errors: readonly ErrorRule[];
  readonly deviceTimeoutMs: number;
}

export const chapValues = ['chapUser', 'chapPassword'];
export const diskValues = ['disk', 'device'];

/** @throws CONFIG_INVALID: `context.faults` lists everything that keeps this configuration from its contract. */
export function initiatorRules(name: string, config: CommandInitiatorConfig): InitiatorRules {
  const faults = new Faults();
  const { identity, list, device, size, readOnly, serial, connect, disconnect, holders, extend = [], errors = [] } = config;
  const onDisk = [...connectionValues, ...diskValues];
  for (const [index, groups] of faults.output(['identity'], identity, { legal: [] }, ['name']).entries()) {
    if (!groups.includes('name')) faults.add(['identity', 'lines', index], 'tells no name: it needs the group (?<name>…)');
  }
  if (list === undefined) {
    const why = 'an exit code alone decides nothing (safety A1): an initiator must be able to look';
    faults.add(['list'], `is missing: give the command that lists the connected disks; ${why}`);
  } else checkList(faults, list);
  checkPath(faults, ['device'], device, connectionGroups, connectionGroups);
  if (size === undefined)
    faults.add(
      ['size'],
      'is missing: give the file of sysfs that tells the size, which is compared before a disk is handed on (safety E2)',
    );
  else checkPath(faults, ['size'], size, onDisk, ['disk']);
  if (readOnly !== undefined) checkPath(faults, ['readOnly'], readOnly, onDisk, ['disk']);
  checkSerial(faults, serial, onDisk);
  checkSteps(faults, 'connect', connect, [...connectionValues, ...chapValues]);
  checkSteps(faults, 'disconnect', disconnect, onDisk);
  checkSteps(faults, 'extend', extend, onDisk);
  if (
    connect.some(({ when, run }) => when === 'chap' || run.includes('<chap')) &&
    !connect.some(({ run }) => run.includes('<chapPassword>'))
  ) {
    faults.add(['connect'], 'has commands for CHAP, and none has <chapPassword>');
  }
  if (holders === undefined) {
    const why = 'a disk that a guest or a mount still has would be taken from under it (safety E3)';
    faults.add(['holders'], `is missing: give at least one command that tells who holds a disk, else ${why}`);
  }
  for (const [index, rule] of (holders ?? []).entries()) {
    const groups = faults.output(['holders', index], rule, { legal: diskValues }, ['holder']);
    for (const [line, names] of groups.entries()) {
      if (!names.includes('holder')) faults.add(['holders', index, 'lines', line], 'tells no holder: it needs the group (?<holder>…)');
    }
  }
  faults.errors(errors);
  if (faults.found.length > 0 || list === undefined || size === undefined || serial === undefined || holders === undefined) {
    throw configInvalid(`the configuration of ${name}`, faults.found);
  }
  const deviceTimeoutMs = (config.deviceTimeoutSeconds ?? initiatorDefaults.deviceTimeoutSeconds) * 1000;
  return { identity, list, device, size, readOnly, serial, connect, disconnect, holders, extend, errors, deviceTimeoutMs };
}

function checkList(faults: Faults, rule: OutputRule): void {
  const needed = [...connectionGroups, 'disk'];
  for (const [index, names] of faults.output(['list'], rule, { legal: [] }, needed).entries()) {
    const missing = needed.filter((group) => !names.includes(group)).map((group) => `(?<${group}>…)`);
    const why = 'nobody could tell which connection a disk belongs to (safety E2)';
    if (missing.length > 0) faults.add(['list', 'lines', index], `needs the groups ${missing.join(', ')} too, else ${why}`);
  }
}

/** A path is a pattern of one word. */
function checkPath(faults: Faults, at: readonly string[], text: string, legal: readonly string[], required: readonly string[]): void {
  if (/\s/.test(text)) faults.add(at, 'holds white space');
  faults.pattern(at, `path ${text}`, { legal, required });
  if (/[*?[\]\\]|\/\.{0,2}(\/|$)/.test(text))
    faults.add(at, 'must be an absolute path without *, ?, [, ], \\ and without empty names, "." and ".."');
}

function checkSerial(faults: Faults, serial: CommandInitiatorConfig['serial'], legal: readonly string[]): void {
  if (serial === undefined) {
    const why = 'two volumes of one size could not be told apart (safety E2)';
    faults.add(['serial'], `is missing: give the file that holds a disk's serial, else ${why}`);
    return;
  }
  checkPath(faults, ['serial', 'path'], serial.path, legal, ['disk']);
  const groups = faults.expression(['serial', 'match'], serial.match, ['serial']);
  if (!groups.includes('serial')) faults.add(['serial', 'match'], 'tells no serial: it needs the group (?<serial>…)');
}

function checkSteps(faults: Faults, name: string, steps: readonly Step[], legal: readonly string[]): void {
  for (const [index, { run }] of steps.entries()) faults.pattern([name, index, 'run'], run, { legal });
}
