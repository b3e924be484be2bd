/** Reads a TAP stream line by line, counts what it says, and answers each line as a person reads it. */
export class TapCount {
  passed = 0;
  skipped = 0;
  todo = 0;
  /** Titles. */
  failures = [];
  #planned;
  #lines = 0;

  /** The line to show; undefined when there is nothing worth it. */
  read(line) {
    const plan = /^1\.\.(\d+)/.exec(line);
    if (plan !== null) {
      this.#planned = Number(plan[1]);
      return undefined;
    }
    const result = /^(not )?ok \d+ (?:- )?(.*?)(?: # (SKIP|TODO)\b.*)?$/.exec(line);
    if (result === null) return /^(TAP version|# (tests|pass|fail|skip|todo) |$)/.test(line) ? undefined : line;
    this.#lines += 1;
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
      return `ok      ${title}`;
    }
    this.failures.push(title);
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
