import { DefaultMachines, type Machine, type Machines } from '@vbs/core';
import { silent } from '../harness/tools.js';

/** What VBS asked of one machine. */
export interface Asked {
  readonly machine: string;
  /** `run` is a process there; the others are files and folders, read without one. */
  readonly kind: 'run' | 'start' | 'stop' | 'find' | 'readFile' | 'look' | 'writeFile' | 'listDirectory' | 'waitForPath';
  readonly words: string;
  /** When it was asked, and how long it took, in milliseconds of performance.now(); null while it goes on. */
  readonly askedMs: number;
  tookMs: number | null;
}

const kinds: ReadonlySet<string> = new Set([
  'run',
  'start',
  'stop',
  'find',
  'readFile',
  'look',
  'writeFile',
  'listDirectory',
  'waitForPath',
]);

/** The machines of a configuration, with what VBS asks of them written down. */
export class Recorder implements Machines {
  readonly asked: Asked[] = [];
  readonly #machines: DefaultMachines;
  readonly #recording = new Map<Machine, Machine>();

  constructor(stateDirectory: string) {
    this.#machines = new DefaultMachines({ stateDirectory, log: silent });
  }

  machine: Machines['machine'] = ((configuration: Parameters<Machines['machine']>[0]): Machine => {
    const machine = this.#machines.machine(configuration);
    const known = this.#recording.get(machine);
    if (known !== undefined) return known;
    const recording = this.#record(machine);
    this.#recording.set(machine, recording);
    return recording;
  }) as Machines['machine'];

  /** What was asked while something was done. */
  async during(act: () => Promise<unknown>): Promise<readonly Asked[]> {
    const from = this.asked.length;
    await act();
    return this.asked.slice(from);
  }

  async close(): Promise<void> {
    await this.#machines.close();
  }

  #record(machine: Machine): Machine {
    return new Proxy(machine, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        const method = value.bind(target) as (...given: unknown[]) => unknown;
        if (typeof name !== 'string' || !kinds.has(name)) return method;
        return (...given: unknown[]) => {
          const words = given[1];
          const asked: Asked = {
            machine: target.name,
            kind: name as Asked['kind'],
            words: Array.isArray(words) ? words.map(String).join(' ') : String(words),
            askedMs: performance.now(),
            tookMs: null,
          };
          this.asked.push(asked);
          return noted(asked, method(...given));
        };
      },
    });
  }
}

async function noted(asked: Asked, answer: unknown): Promise<unknown> {
  try {
    return await answer;
  } finally {
    asked.tookMs = performance.now() - asked.askedMs;
  }
}
