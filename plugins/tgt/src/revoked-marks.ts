import { type Call, type CommandRunner, type Machine, unlessCode } from '@vbs/core';
import type { commands as patterns } from './commands.js';

/** Notes on tgtd's machine about exports whose access was revoked: tgtd forgets all, and they must stay shut after its restart too. */
export class RevokedMarks {
  #folder: Promise<unknown> | undefined;

  constructor(
    private readonly directory: string,
    private readonly commands: CommandRunner<typeof patterns>,
    private readonly machine: Machine,
  ) {}

  async has(call: Call, exportId: string): Promise<boolean> {
    return (await unlessCode('NOT_FOUND', this.machine.readFile(call, this.#path(exportId)))) !== undefined;
  }

  /** Durable when it ends. */
  async set(call: Call, exportId: string): Promise<void> {
    await this.makeFolder(call, exportId);
    await this.machine.writeFile(call, this.#path(exportId), `${exportId} was revoked: it is never opened again, only deleted.\n`, {
      guard: exportId,
    });
  }

  async remove(call: Call, exportId: string): Promise<void> {
    if (!(await this.has(call, exportId))) return;
    await this.commands.run(call, 'removeFile', { path: this.#path(exportId) }, { guard: exportId });
  }

  /** The folder of marks and of an own tgtd's socket; made once. */
  async makeFolder(call: Call, guard: string): Promise<void> {
    this.#folder ??= this.commands.run(call, 'makeFolder', { path: this.directory }, { guard });
    try {
      await this.#folder;
    } catch (error) {
      this.#folder = undefined;
      throw error;
    }
  }

  #path(exportId: string): string {
    return `${this.directory}/revoked-${exportId}`;
  }
}
