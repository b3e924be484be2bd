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

/** As Gson writes JSON: indented, null for what is not known, without a line end, and with these characters escaped. */
function gson(value: unknown): string {
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, 2).replace(/[<>&='\u2028\u2029]/g, escaped);
}

const problem = (text: string): ToolResult => ({ exitCode: 1, stderr: `Parameter Problem:\n\n${text}\nSee --help\n` });

/** A Nimbus service with its VMs, and nimbus-admin of its 2.9 release. */
export class NimbusWorld {
  readonly vms = new Map<string, NimbusVm>();
  /** A release that does not know --json. */
  isOld = false;
  /** The service does not answer; `told only`: as a release that then says why, and ends with 0. */
  isDown: boolean | 'told only' = false;
  readonly tools: Tools = { 'nimbus-admin': ({ args }) => this.#admin(args), cat, ls };

  /** An empty node: the VM has no host yet. */
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
    let [isList, hasDelimiter] = [false, false];
    const wanted: [Field, string][] = [];
    const rest = [...args];
    for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
      const filter = filters[word];
      const asked = { '--batch': 'batch', '-b': 'batch', ...(this.isOld ? {} : { '--json': 'json', '-j': 'json' }) }[word];
      if (asked !== undefined && format !== 'plain' && format !== asked) return problem('You cannot specify both batch and json');
      if (word === '--list' || word === '-l') isList = true;
      else if (asked !== undefined) format = asked as 'batch' | 'json';
      else if (word === '-D' || word === '--delimiter') {
        delimiter = rest.shift() ?? '';
        hasDelimiter = true;
        if (delimiter === '') return problem('-D option requires an argument');
      } else if (word === '--report' || word === '-r') {
        const names = (rest.shift() ?? '').split(',').map((name) => name.trim());
        const strange = names.find((name) => !fields.includes(name as Field));
        if (strange !== undefined) {
          return problem(`Report field '${strange}' is not allowed for this action. Allowed fields are: ${fields.join(', ')}`);
        }
        report = names as Field[];
      } else if (filter !== undefined) {
        wanted.push([filter, rest.shift() ?? '']);
      } else return problem(`Unrecognized option: ${word}`);
    }
    if (!isList) return problem('You must specify an action');
    if (hasDelimiter && format !== 'batch') {
      const why = 'delimiter only supported in Batch mode';
      return { exitCode: 3, stderr: `An unexpected error was encountered. Please report this!\n${why}\n\nStack trace:\n` };
    }
    if (this.isDown === 'told only')
      return { stderr: 'Connection refused to host: nimbus; nested exception is: java.net.SocketException\n' };
    if (this.isDown) {
      const why = 'Failed to connect to Nimbus service over domain sockets. Is the service running?';
      return { exitCode: 2, stderr: `${why}\n\nSocket directory: /opt/nimbus/services/var/nimbus/sockets\n\nError: Connection refused\n` };
    }
    if (wanted.length > 1) return { stderr: 'You may select only one of --user, --dn, --gid, --gname, or --host\n' };
    const [first] = wanted;
    const found = [...this.vms.values()].filter((vm) => wanted.every(([field, value]) => vm[field] === value));
    if (found.length === 0 && first !== undefined) return { stderr: `No vms with ${words[first[0]]} ${first[1]} found\n` };
    if (format === 'json') return { stdout: gson(found.map((vm) => Object.fromEntries(report.map((name) => [name, vm[name] || null])))) };
    if (format === 'batch') return { stdout: found.map((vm) => `${report.map((name) => vm[name]).join(delimiter)}\n`).join('') };
    return {
      stdout: `${found.map((vm) => report.flatMap((name) => (vm[name] ? [`${name.padEnd(10)} :  ${vm[name]}\n`] : [])).join('')).join('\n')}\n`,
    };
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
