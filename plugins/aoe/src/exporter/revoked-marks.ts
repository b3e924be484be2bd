import { type Call, type CommandRunner, type Machine, unlessCode, VbsError } from '@vbs/core';
import type { Blade } from './blade.js';
import type { exporterCommands } from './commands.js';

/** An export whose access was revoked, as it was before. */
export interface RevokedExport {
  readonly exportId: string;
  readonly serial: string;
  readonly blade: Blade;
}

const prefix = 'revoked-';

/** Notes on vblade's machine about exports whose access was revoked: nothing else tells of them, and they must stay shut for ever. */
export class RevokedMarks {
  #folder: Promise<unknown> | undefined;

  constructor(
    private readonly directory: string,
    private readonly commands: CommandRunner<typeof exporterCommands>,
    private readonly machine: Machine,
  ) {}

  async all(call: Call): Promise<readonly RevokedExport[]> {
    const names = (await unlessCode('NOT_FOUND', this.machine.listDirectory(call, this.directory))) ?? [];
    const found = await Promise.all(
      names.filter((name) => /^revoked-exp-[0-9a-f]+$/.test(name)).map((name) => this.get(call, name.slice(prefix.length))),
    );
    return found.filter((one) => one !== undefined);
  }

  async get(call: Call, exportId: string): Promise<RevokedExport | undefined> {
    const path = this.#path(exportId);
    const text = await unlessCode('NOT_FOUND', this.machine.readFile(call, path));
    return text === undefined ? undefined : parse(path, text);
  }

  /** Durable when it ends. */
  async set(call: Call, revoked: RevokedExport): Promise<void> {
    const { exportId } = revoked;
    this.#folder ??= this.commands.run(call, 'makeFolder', { path: this.directory }, { guard: exportId });
    try {
      await this.#folder;
    } catch (error) {
      this.#folder = undefined;
      throw error;
    }
    await this.machine.writeFile(call, this.#path(exportId), `${JSON.stringify(revoked)}\n`, { guard: exportId });
  }

  async remove(call: Call, exportId: string): Promise<void> {
    const path = this.#path(exportId);
    if ((await unlessCode('NOT_FOUND', this.machine.readFile(call, path))) === undefined) return;
    await this.commands.run(call, 'removeFile', { path }, { guard: exportId });
  }

  #path(exportId: string): string {
    return `${this.directory}/${prefix}${exportId}`;
  }
}

function parse(path: string, text: string): RevokedExport {
  try {
    return JSON.parse(text) as RevokedExport;
  } catch (error) {
    throw new VbsError('INTERNAL', `The note ${path} of a revoked export is damaged: its export stays shut. Delete the export.`, {
      context: { path },
      cause: error,
    });
  }
}
