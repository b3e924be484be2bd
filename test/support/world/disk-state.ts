import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Plain objects, one file each, replaced whole by rename: what they hold outlives every process, as LVM, tgt and Xen do. */
export class DiskState<T> {
  readonly #folder: string;

  constructor(directory: string, kind: string) {
    this.#folder = join(directory, kind);
    mkdirSync(this.#folder, { recursive: true });
  }

  get(id: string): T | undefined {
    return existsSync(this.#path(id)) ? (JSON.parse(readFileSync(this.#path(id), 'utf8')) as T) : undefined;
  }

  put(id: string, value: T): void {
    const temporary = join(this.#folder, `.${id}.${process.pid}`);
    writeFileSync(temporary, JSON.stringify(value));
    renameSync(temporary, this.#path(id));
  }

  remove(id: string): void {
    rmSync(this.#path(id), { force: true });
  }

  list(): T[] {
    const names = readdirSync(this.#folder).filter((name) => name.endsWith('.json'));
    return names.map((name) => this.get(name.slice(0, -'.json'.length))).filter((value) => value !== undefined);
  }

  #path(id: string): string {
    return join(this.#folder, `${id}.json`);
  }
}

/** Lines of JSON that are only ever added. */
export class DiskLog<T> {
  readonly #path: string;

  constructor(directory: string, name: string) {
    mkdirSync(directory, { recursive: true });
    this.#path = join(directory, `${name}.log`);
  }

  add(entry: T): void {
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
  }

  read(): T[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as T);
  }
}
