import { createHash } from 'node:crypto';

/** A VM's configuration as pmxcfs holds it: options, what is to come, and the sections behind. */
export class VmConfig {
  readonly current = new Map<string, string>();
  readonly pending = new Map<string, string>();
  readonly pendingDelete = new Set<string>();
  /** Snapshots and the like, as they stand in the file. */
  tail = '';
  description = '';
  /** Of the file as it was read. */
  digest = '';

  static parse(text: string): VmConfig {
    const config = new VmConfig();
    config.digest = createHash('sha1').update(text).digest('hex');
    const [head = '', ...sections] = text.split(/^(?=\[)/m);
    config.description = head
      .split('\n')
      .filter((line) => line.startsWith('#'))
      .map((line) => `${line}\n`)
      .join('');
    read(head, config.current);
    for (const section of sections) {
      if (section.startsWith('[PENDING]')) read(section, config.pending);
      else config.tail += section;
    }
    for (const option of (config.pending.get('delete') ?? '').split(',')) if (option !== '') config.pendingDelete.add(option);
    config.pending.delete('delete');
    return config;
  }

  print(): string {
    const lines = (options: ReadonlyMap<string, string>): string => [...options].map(([key, value]) => `${key}: ${value}\n`).join('');
    const changes = `${this.pendingDelete.size === 0 ? '' : `delete: ${[...this.pendingDelete].join(',')}\n`}${lines(sorted(this.pending))}`;
    const sections = [...(changes === '' ? [] : [`[PENDING]\n${changes}`]), ...(this.tail === '' ? [] : [this.tail])];
    return [`${this.description}${lines(sorted(this.current))}`, ...sections].join('\n');
  }

  /** What the API and `qm pending` tell of each option. */
  entries(): readonly { readonly key: string; readonly value?: string; readonly pending?: string; readonly delete?: number }[] {
    const keys = [...new Set([...this.current.keys(), ...this.pending.keys()])].sort();
    return keys.map((key) => {
      const [value, pending] = [this.current.get(key), this.pending.get(key)];
      return {
        key,
        ...(value === undefined ? {} : { value }),
        ...(pending === undefined ? {} : { pending }),
        ...(this.pendingDelete.has(key) ? { delete: 1 } : {}),
      };
    });
  }
}

function read(text: string, into: Map<string, string>): void {
  for (const line of text.split('\n')) {
    const [, key, value] = /^([a-z][a-z_]*\d*):\s*(.*\S)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) into.set(key, value);
  }
}

function sorted(options: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...options].sort(([one], [other]) => (one < other ? -1 : 1)));
}
