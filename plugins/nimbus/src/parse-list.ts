import { VbsError } from '@vbs/core';
import { type InstanceRecord, requireRecord } from './instance-record.js';

const tool = 'The list of nimbus-admin';

/**
 * Whether nimbus-admin says on standard error that there is no VM. Some releases tell there too, with exit code 0, that the service has
 * failed. Where it says nothing at all, what it has printed decides: in batch mode no line is no VM, in JSON that is `[]`.
 *
 * @throws UNAVAILABLE: it has printed no list, and said something else.
 */
export function saysNone({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): boolean {
  const told = stderr.trim();
  if (stdout.trim() !== '' || told === '') return false;
  if (/^No (running )?vms( with .+)? found$/i.test(told)) return true;
  throw new VbsError('UNAVAILABLE', `Nimbus: no list came (${told.replaceAll('\n', '; ').slice(0, 300)}).`, { context: { stderr: told } });
}

/** What `nimbus-admin --list --json` prints: objects whose values are text, or null where Nimbus knows none. */
export function parseJsonList(stdout: string): readonly InstanceRecord[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(stdout);
  } catch (cause) {
    throw new VbsError('INTERNAL', `${tool} is no JSON: it may have been cut off.`, { cause });
  }
  if (!Array.isArray(parsed)) throw new VbsError('INTERNAL', `${tool} is no array.`);
  return withoutTwins(parsed.map((item: unknown) => requireRecord(recordOf(item), tool)));
}

function recordOf(item: unknown): InstanceRecord {
  const value = (key: string): string => {
    const found: unknown = typeof item === 'object' && item !== null ? Reflect.get(item, key) : undefined;
    if (typeof found === 'string') return found.trim();
    // A VM that waits for a host: the others must be found all the same.
    if (found === null && key === 'node') return '';
    throw new VbsError('INTERNAL', `${tool} has a VM without the text ${key}.`);
  };
  return { managerId: value('id'), node: value('node'), state: value('state') };
}

/** What `nimbus-admin --list --batch -D <delimiter> --report id,node,state` prints, a VM each line. */
export function parseDelimitedList(stdout: string, delimiter: string): readonly InstanceRecord[] {
  const lines = stdout.split('\n').filter((line) => line.trim() !== '');
  const records = lines.map((line) => {
    const [managerId, node, state, ...more] = line.split(delimiter).map((field) => field.trim());
    if (managerId === undefined || node === undefined || state === undefined || more.some((field) => field !== '')) {
      throw new VbsError(
        'INTERNAL',
        `${tool} has a line that is not id${delimiter}node${delimiter}state: ${JSON.stringify(line.slice(0, 120))}.`,
      );
    }
    return requireRecord({ managerId, node, state }, tool);
  });
  return withoutTwins(records);
}

function withoutTwins(records: readonly InstanceRecord[]): readonly InstanceRecord[] {
  const seen = new Set<string>();
  const twin = records.find(({ managerId }) => seen.size === seen.add(managerId).size);
  if (twin === undefined) return records;
  throw new VbsError('INTERNAL', `${tool} has VM ${twin.managerId} twice.`, { context: { managerId: twin.managerId } });
}

/** EC2-style ids by manager id and the other way round. Lines are `i-0a1b2c3d 4`; white space, commas, `|` or `;` may part them, and `#` begins a comment. */
export function parseIdMap(text: string): {
  readonly toManager: ReadonlyMap<string, string>;
  readonly toElastic: ReadonlyMap<string, string>;
} {
  const [toManager, toElastic] = [new Map<string, string>(), new Map<string, string>()];
  for (const line of text.split('\n')) {
    const plain = line.replace(/#.*$/, '').trim();
    if (plain === '') continue;
    const [elastic = '', manager = ''] = plain.split(/[\s,|;]+/);
    if (!/^i-[0-9a-f]{8}$/.test(elastic) || !/^[0-9]{1,18}$/.test(manager) || toManager.has(elastic) || toElastic.has(manager)) {
      throw new VbsError(
        'INTERNAL',
        `The map of instance ids has a line that is no new pair of i-… and manager id: ${JSON.stringify(line.slice(0, 120))}.`,
      );
    }
    toManager.set(elastic, manager);
    toElastic.set(manager, elastic);
  }
  return { toManager, toElastic };
}
