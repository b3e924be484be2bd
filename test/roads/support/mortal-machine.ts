import { type Call, type Machine, VbsError } from '@vbs/core';
import { interceptedMachine } from '../../support/intercepted-machine.js';

/**
 * One life of a process, as its machines see it. From its death on nothing that it asks is done and nothing is answered to it: what waits
 * ends when its store is closed, which writes nothing of it down.
 */
export class Life {
  readonly #last: number;
  #given = 0;
  #dead = false;
  #tell: () => void = () => undefined;
  /** Ends at its death. */
  readonly died = new Promise<void>((resolve) => {
    this.#tell = resolve;
  });

  /** It dies when its `last` command, from 1, has acted, and before that is answered. */
  constructor(last: number) {
    this.#last = last;
  }

  get isOver(): boolean {
    return this.#dead;
  }

  machine(real: Machine): Machine {
    const command = async <T>(call: Call, act: () => Promise<T>): Promise<T> => {
      if (this.#dead) return await unanswered(call);
      this.#given += 1;
      if (this.#given !== this.#last) return await this.#whileAlive(call, act());
      await act().catch(() => undefined);
      this.#dead = true;
      this.#tell();
      return await unanswered(call);
    };
    const other = <T>(call: Call, act: () => Promise<T>): Promise<T> => (this.#dead ? unanswered(call) : this.#whileAlive(call, act()));
    return interceptedMachine(real, {
      run: (call, ...rest) => command(call, () => real.run(call, ...rest)),
      start: (call, ...rest) => command(call, () => real.start(call, ...rest)),
      stop: (call, ...rest) => command(call, () => real.stop(call, ...rest)),
      writeFile: (call, ...rest) => command(call, () => real.writeFile(call, ...rest)),
      find: (call, ...rest) => other(call, () => real.find(call, ...rest)),
      readFile: (call, ...rest) => other(call, () => real.readFile(call, ...rest)),
      listDirectory: (call, ...rest) => other(call, () => real.listDirectory(call, ...rest)),
      waitForPath: (call, ...rest) => other(call, () => real.waitForPath(call, ...rest)),
      settle: (call, ...rest) => other(call, () => real.settle(call, ...rest)),
    });
  }

  async #whileAlive<T>(call: Call, answer: Promise<T>): Promise<T> {
    try {
      const value = await answer;
      return this.#dead ? await unanswered(call) : value;
    } catch (error) {
      if (this.#dead) return await unanswered(call);
      throw error;
    }
  }
}

async function unanswered(call: Call): Promise<never> {
  if (!call.signal.aborted) await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve(), { once: true }));
  throw new VbsError('DEADLINE_EXCEEDED', 'the process that asked is dead');
}
