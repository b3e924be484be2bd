import { type Call, type Machine, parsePattern, toVbsError, VbsError } from '@vbs/core';
import { matchLines, type Row } from '../rules/expressions.js';
import { Tools, type Values } from '../rules/tools.js';
import type { Step } from './config.js';
import { connectionOf, type IscsiConnection, valuesOf, type WantedConnection } from './iscsi.js';
import { chapValues, diskValues, type InitiatorRules } from './rules.js';

const stepLimitMs = 40_000;
/** Three paths each, of the 256 that one look takes. */
const disksOfLook = 80;
const sectorBytes = 512;

/** A disk as the list tells it, with what sysfs tells of it. One that comes or goes may have no size. */
export interface ConnectedDisk {
  readonly connection: IscsiConnection;
  readonly devicePath: string;
  readonly disk: string;
  readonly sizeBytes: number | undefined;
  readonly serial: string | undefined;
  readonly isReadOnly: boolean;
  readonly values: Values;
}

/** Commands, paths and rules of one instance. */
export class Parts {
  readonly tools: Tools;

  constructor(
    readonly machine: Machine,
    readonly rules: InitiatorRules,
  ) {
    const { connect, disconnect, extend, holders, identity, list, errors } = rules;
    const named = (name: string, steps: readonly { readonly run: string }[]) =>
      steps.map(({ run }, index) => [`${name} ${index}`, run] as const);
    const patterns = Object.fromEntries([
      ['identity', identity.run],
      ['list', list.run],
      ...named('connect', connect),
      ...named('disconnect', disconnect),
      ...named('extend', extend),
      ...named('holders', holders),
    ]);
    this.tools = new Tools(machine, patterns, errors);
  }

  /** Every disk that the list tells; a target with several sessions shows one several times. */
  async list(call: Call): Promise<readonly ConnectedDisk[]> {
    const rows = await this.tools.read(call, 'list', this.rules.list);
    const found: ConnectedDisk[] = [];
    for (let from = 0; from < rows.length; from += disksOfLook) {
      found.push(...(await this.#measured(call, rows.slice(from, from + disksOfLook))));
    }
    return found;
  }

  async listed(
    call: Call,
    { connection }: WantedConnection,
  ): Promise<{ readonly disk: ConnectedDisk | undefined; readonly all: readonly ConnectedDisk[] }> {
    const all = await this.list(call);
    return { disk: all.find((one) => one.connection.key === connection.key), all };
  }

  /** Runs steps in their order, those alone that the values are enough for. */
  async run(
    call: Call,
    name: 'connect' | 'disconnect' | 'extend',
    values: Values,
    guard: string,
    onError?: (error: VbsError) => void,
  ): Promise<void> {
    for (const [index, step] of this.rules[name].entries()) {
      if (!applies(step, values)) continue;
      try {
        await this.tools.change(call, `${name} ${index}`, values, {
          guard,
          timeLimitMs: stepLimitMs,
          ...(step.input === undefined ? {} : { input: step.input }),
          ...(step.okExits === undefined ? {} : { okExitCodes: step.okExits }),
        });
      } catch (error) {
        if (onError === undefined) throw error;
        onError(toVbsError(error));
      }
    }
  }

  async #measured(call: Call, rows: readonly Row[]): Promise<readonly ConnectedDisk[]> {
    const { rules } = this;
    const disks = rows.flatMap((row) => {
      const connection = connectionOf(row);
      if (connection === undefined) return [];
      const own = { ...valuesOf(connection)[0], disk: requireName(row.disk) };
      const values = { ...own, device: pathOf(rules.device, own) };
      const readOnly = rules.readOnly === undefined ? undefined : pathOf(rules.readOnly, values);
      return [{ connection, values, size: pathOf(rules.size, values), serial: pathOf(rules.serial.path, values), readOnly }];
    });
    const paths = disks.flatMap(({ size, serial, readOnly }) => [size, serial, ...(readOnly === undefined ? [] : [readOnly])]);
    const look = await this.machine.look(call, paths);
    return disks.map(({ connection, values, size, serial, readOnly }) => {
      const sectors = look.text(size)?.trim() ?? '';
      const told = this.#serial(look.text(serial) ?? '');
      return {
        connection: { ...connection, serial: told ?? '' },
        devicePath: values.device,
        disk: values.disk,
        sizeBytes: /^\d{1,13}$/.test(sectors) ? Number(sectors) * sectorBytes : undefined,
        serial: told,
        isReadOnly: readOnly !== undefined && look.text(readOnly)?.trim() === '1',
        values,
      };
    });
  }

  #serial(text: string): string | undefined {
    const matched = matchLines("A disk's serial", [this.rules.serial.match], text.split('\n')).find((one) => one !== null);
    return matched?.[1].serial;
  }
}

/** @throws INTERNAL: the group disk matched what is no name of a block device. */
function requireName(disk = ''): string {
  if (/^[A-Za-z0-9][\w!.-]*$/.test(disk)) return disk;
  throw new VbsError('INTERNAL', `The group disk of list matched ${JSON.stringify(disk.slice(0, 80))}, which is no name of a disk.`);
}

/** Not without the credentials, or the disk, that it is about. */
function applies({ run, when }: Step, values: Values): boolean {
  const isKnown = (name: string): boolean => !run.includes(`<${name}>`) || values[name] !== undefined;
  return (when !== 'chap' || values.chapUser !== undefined) && [...chapValues, ...diskValues].every(isKnown);
}

/** A path with its values, none of which adds a name to it. @throws INVALID_ARGUMENT */
function pathOf(pattern: string, values: Values): string {
  const [, parts = []] = parsePattern('path', `path ${pattern}`).words;
  return parts
    .map((part) => {
      if ('literal' in part) return part.literal;
      const value = String(values[part.placeholder]);
      if (value.includes('/') && part.placeholder !== 'device') {
        throw new VbsError('INVALID_ARGUMENT', `The value of <${part.placeholder}> may hold no slash.`, {
          context: { field: part.placeholder },
        });
      }
      return value;
    })
    .join('');
}
