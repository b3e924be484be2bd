/**
 * What happens to one command (safety A7): it fails and changes nothing; it acts, and fails; it never ends and never acts; it acts, and
 * never ends; it acts when its time limit is over.
 */
export const toolFaults = ['fails', 'fails after its effect', 'hangs', 'hangs after its effect', 'acts late'] as const;
export type ToolFault = (typeof toolFaults)[number];

/** The commands that a machine ran, and what goes wrong with which of them. */
export class FaultPlan {
  /** Each as one line. */
  readonly ran: string[] = [];
  #armed: { readonly nth: number; readonly fault: ToolFault; readonly from: number } | undefined;
  #met = 0;

  /** The `nth` command from now on, from 1, meets the fault; the others run. */
  arm(nth: number, fault: ToolFault): void {
    this.#armed = { nth, fault, from: this.ran.length };
    this.#met = 0;
  }

  disarm(): void {
    this.#armed = undefined;
  }

  /** How many commands met a fault since it was armed: 0 where the act had fewer commands. */
  get met(): number {
    return this.#met;
  }

  next(line: string): ToolFault | undefined {
    this.ran.push(line);
    const armed = this.#armed;
    if (armed === undefined || this.ran.length - armed.from !== armed.nth) return undefined;
    this.#met += 1;
    return armed.fault;
  }
}
