import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';

const run = promisify(execFile);

test('a kit › runs under node:test as it is', async (t) => {
  t.timeout(60_000);
  const file = fileURLToPath(new URL('node-test-suite.js', import.meta.url));
  // node:test tells a child of another runner to report to it.
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter', 'tap', file], { env, timeout: 50_000 });
  t.regex(stdout, /ok \d+ - cloudResolver › resolveInstance › answers where an instance runs, the same each time/);
  t.regex(stdout, /# fail 0/);
  t.notRegex(stdout, /# pass 0\n/);
});
