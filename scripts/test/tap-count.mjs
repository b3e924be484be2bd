/** Reads a TAP stream line by line, counts what it says, and answers each line as a person reads it. */
export class TapCount {
  passed = 0;
  skipped = 0;
  todo = 0;
  /** Titles. */
  failures = [];
  /** Titles. */
  passes = [];
  /** What was told of each failure, by its title. */
  diagnostics = new Map();
  #planned;
  #lines = 0;
  #told;

  /** The line to show; undefined when there is nothing worth it. */
  read(line) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan !== null) {
      this.#planned = Number(plan[1]);
      return undefined;
    }
    const result = /^(not )?ok \d+ (?:- )?(.*?)(?: # (SKIP|TODO)\b.*)?$/.exec(line);
    if (result === null) {
      if (/^(TAP version|# (tests|pass|fail|skip|todo) |$)/.test(line)) return undefined;
      this.#told?.push(line);
      return line;
    }
    this.#lines += 1;
    this.#told = undefined;
    const [, not, title = '', directive] = result;
    if (directive === 'SKIP') {
      this.skipped += 1;
      return `skip    ${title}`;
    }
    if (directive === 'TODO') {
      this.todo += 1;
      return `to do   ${title}`;
    }
    if (not === undefined) {
      this.passed += 1;
      this.passes.push(title);
      return `ok      ${title}`;
    }
    this.failures.push(title);
    this.#told = [];
    this.diagnostics.set(title, this.#told);
    return `FAILED  ${title}`;
  }

  /** What is wrong with the run as a whole, once it ended with this exit code or signal; undefined when nothing is. */
  fault(exit) {
    if (this.#planned === undefined) return `the test run broke off (ava ended with ${exit}) before it told how many tests there are`;
    if (this.#lines === 0) return 'no test was run';
    if (this.#planned > this.#lines) return `${this.#planned} tests were planned and ${this.#lines} reported`;
    if (exit !== 0 && this.failures.length === 0) return `ava ended with ${exit} though no test failed`;
    if (exit === 0 && this.failures.length > 0) return 'ava ended with 0 though tests failed';
    return undefined;
  }
}
