import { Refusal } from './refusal.js';

interface Task {
  readonly upid: string;
  readonly vmid: number;
  readonly user: string;
  exit: string | undefined;
}

/** The workers of a node. */
export class NodeTasks {
  readonly #tasks: Task[] = [];
  readonly #running = new Set<Promise<void>>();
  /** How long each takes, in milliseconds. */
  takesMs = 0;

  constructor(private readonly node: string) {}

  /** Begins a worker, and answers its id. */
  begin(vmid: number, user: string, work: () => { readonly warnings: readonly string[] }): string {
    const digits = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0');
    const upid = `UPID:${this.node}:${digits(4000 + this.#tasks.length)}:${digits(77)}:${digits(1_700_000_000)}:qmconfig:${vmid}:${user}:`;
    const task: Task = { upid, vmid, user, exit: undefined };
    this.#tasks.push(task);
    const running = new Promise<void>((resolve) => setTimeout(resolve, this.takesMs)).then(() => {
      task.exit = exitOf(work);
    });
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
    return upid;
  }

  status(upid: string): object {
    const task = this.#tasks.find((known) => known.upid === upid);
    if (task === undefined) throw new Refusal('no such task', 255, 500);
    const { vmid, user, exit } = task;
    const common = { upid, node: this.node, type: 'qmconfig', id: String(vmid), user, starttime: 1_700_000_000, pid: 4000 };
    return exit === undefined ? { ...common, status: 'running' } : { ...common, status: 'stopped', exitstatus: exit };
  }

  /** Those that run, and the last ones that have ended. */
  active(vmid: number | undefined): readonly object[] {
    return this.#tasks
      .filter((task) => vmid === undefined || task.vmid === vmid)
      .slice(-20)
      .map(({ upid, vmid: id, user, exit }) => ({
        upid,
        node: this.node,
        type: 'qmconfig',
        id: String(id),
        user,
        starttime: 1_700_000_000,
        ...(exit === undefined ? { status: 'RUNNING' } : { status: exit, endtime: 1_700_000_001 }),
      }));
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** The last line of a task's log, as one line. */
function exitOf(work: () => { readonly warnings: readonly string[] }): string {
  try {
    work();
    return 'OK';
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).trim().replaceAll(/\s*\n\s*/g, ' ');
  }
}
