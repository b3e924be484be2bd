import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tool, ToolResult, Tools } from '../frame/tool.js';

/** The fields of `nimbus-admin --list`, in its order. */
const fields = [
  'id',
  'node',
  'group_id',
  'group_name',
  'creator',
  'state',
  'start time',
  'end time',
  'memory',
  'cpu count',
  'uri',
] as const;
export type Field = (typeof fields)[number];
export type NimbusVm = Readonly<Record<Field, string>>;

/** Filters of --list, and the field that each compares; `--seconds` is left out. */
const filters: Readonly<Record<string, Field>> = {
  '-u': 'creator',
  '--user': 'creator',
  '-g': 'group_id',
  '--gid': 'group_id',
  '-gn': 'group_name',
  '-hn': 'node',
  '--host': 'node',
};
const words: Readonly<Record<Field, string>> = {
  id: 'id',
  node: 'host',
  group_id: 'group',
  group_name: 'group name',
  creator: 'user',
  state: 'state',
  'start time': 'start time',
  'end time': 'end time',
  memory: 'memory',
  'cpu count': 'cpu count',
  uri: 'uri',
};

const problem = (text: string): ToolResult => ({ exitCode: 1, stderr: `Parameter Problem:\n\n${text}\nSee --help\n` });

/** A Nimbus service with its VMs, and nimbus-admin of its 2.9 release. */
export class NimbusWorld {
  readonly vms = new Map<string, NimbusVm>();
  /** A release that does not know --json. */
  isOld = false;
  readonly tools: Tools = { 'nimbus-admin': ({ args }) => this.#admin(args), cat, ls };

  put(id: string, node: string, state: string): void {
    const times = { 'start time': 'Tue Sep 13 09:55:30 PDT 2011', 'end time': 'Tue Sep 13 18:17:30 PDT 2011' };
    const rest = {
      group_id: '1',
      group_name: 'UNLIMITED',
      creator: '/O=Auto/OU=0718075a/CN=test@example.org',
      memory: '512',
      'cpu count': '1',
    };
    this.vms.set(id, { id, node, state, ...times, ...rest, uri: '/vms/sl54base_i386.img.gz' });
  }

  #admin(args: readonly string[]): ToolResult {
    let [format, delimiter, report]: ['plain' | 'batch' | 'json', string, readonly Field[]] = ['plain', ' ', fields];
    let isList = false;
    const wanted: [Field, string][] = [];
    const rest = [...args];
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      const filter = filters[word];
      if (word === '--list' || word === '-l') isList = true;
      else if (word === '--batch' || word === '-b') format = 'batch';
      else if ((word === '--json' || word === '-j') && !this.isOld) format = 'json';
      else if (word === '-D' || word === '--delimiter') {
        delimiter = rest.shift() ?? '';
        if (delimiter === '') return problem('-D option requires an argument');
      } else if (word === '--report' || word === '-r') {
        const names = (rest.shift() ?? '').split(',').map((name) => name.trim());
        const strange = names.find((name) => !fields.includes(name as Field));
        if (strange !== undefined) return problem(`Invalid report field: ${strange}`);
        report = names as Field[];
      } else if (filter !== undefined) {
        wanted.push([filter, rest.shift() ?? '']);
      } else return problem(`no such option: ${word}`);
    }
    if (!isList) return problem('You must specify an action');
    const [first] = wanted;
    const found = [...this.vms.values()].filter((vm) => wanted.every(([field, value]) => vm[field] === value));
    if (found.length === 0)
      return { stderr: first === undefined ? 'No vms found\n' : `No vms with ${words[first[0]]} ${first[1]} found\n` };
    if (format === 'json')
      return { stdout: `${JSON.stringify(found.map((vm) => Object.fromEntries(report.map((name) => [name, vm[name]]))))}\n` };
    if (format === 'batch') return { stdout: found.map((vm) => `${report.map((name) => vm[name]).join(delimiter)}\n`).join('') };
    return { stdout: `${found.map((vm) => report.map((name) => `${name.padEnd(10)} :  ${vm[name]}\n`).join('')).join('\n')}\n` };
  }
}

const cat: Tool = ({ args: [path = '', ...more], root }) => {
  if (more.length > 0) return { exitCode: 1, stderr: 'cat: the stand-in takes one file\n' };
  try {
    return { stdout: readFileSync(join(root, path), 'utf8') };
  } catch {
    return { exitCode: 1, stderr: `cat: ${path}: No such file or directory\n` };
  }
};

const ls: Tool = ({ args: [option, path = '', ...more], root }) => {
  if (option !== '-1' || more.length > 0) return { exitCode: 2, stderr: 'ls: the stand-in takes -1 and one folder\n' };
  try {
    return {
      stdout: readdirSync(join(root, path))
        .map((name) => `${name}\n`)
        .join(''),
    };
  } catch {
    return { exitCode: 2, stderr: `ls: cannot access '${path}': No such file or directory\n` };
  }
};
