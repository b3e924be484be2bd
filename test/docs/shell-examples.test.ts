import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { filesBelow, readDocument, root } from './markdown.js';
import { type Ids, matchOutput, pageAddress, realCommand, shellExamples } from './shell-page.js';
import { openShell } from './shell-session.js';
import { startServer } from './vbs-server.js';

const path = process.env.PATH ?? '';
const programs = path.split(delimiter);
const curl = programs.map((folder) => join(folder, 'curl')).find(existsSync);
const documents = ['README.md', ...(await filesBelow('docs', (name) => name.endsWith('.md') && !name.startsWith('docs/decisions/')))];
const pages = (
  await Promise.all(documents.map(async (document) => ({ document, examples: shellExamples(await readDocument(document)) })))
).filter(({ examples }) => examples.length > 0);

/** A folder with the programs that a page takes for granted: this `vbs`, and a curl that shows no meter, as on a terminal. */
async function toolsFolder(directory: string): Promise<string> {
  const folder = join(directory, 'bin');
  await mkdir(folder);
  const scripts = {
    vbs: `exec '${process.execPath}' '${join(root, 'cli/bin/vbs.js')}' "$@"`,
    ...(curl === undefined ? {} : { curl: `exec '${curl}' --silent --show-error "$@"` }),
  };
  for (const [name, line] of Object.entries(scripts)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

/** An empty home with a folder for the page to work in and a data directory beside it. */
async function scene(t: ExecutionContext) {
  const home = await mkdtemp(join(tmpdir(), 'vbs-page-'));
  t.teardown(() => rm(home, { recursive: true, force: true }));
  const [work, data] = [join(home, 'work'), join(home, 'data')];
  await Promise.all([work, data].map((folder) => mkdir(folder)));
  const environment = {
    HOME: home,
    TMPDIR: home,
    LC_ALL: 'C.UTF-8',
    PATH: `${await toolsFolder(home)}${delimiter}${path}`,
    VBS_DATA_DIR: data,
  };
  return { work, data, environment };
}

for (const { document, examples } of pages) {
  const needsCurl = examples.some(({ command }) => /\bcurl\b/.test(command));
  const skipped = needsCurl && curl === undefined;
  const title = `shell examples › ${document} does what it shows${skipped ? ' (skipped: curl is not installed)' : ''}`;
  // One after the other: each has a server of its own.
  (skipped ? test.skip : test.serial)(title, async (t) => {
    t.timeout(170_000);
    const { work, data, environment } = await scene(t);
    const real = await startServer(t, data, environment);
    const shell = openShell(t, work, environment);
    const shown = pageAddress(examples);
    let ids: Ids = new Map();
    for (const { line, command, output, exit } of examples) {
      const run = realCommand(command, ids, { shown, real });
      const ran = await shell.run(run);
      t.is(ran.exit, exit, `${document}, line ${line}: ${run}\nprinted\n${ran.output}`);
      if (output === undefined) continue;
      const known = matchOutput(output, ran.output, ids);
      if (known === undefined) t.is(ran.output, output, `${document}, line ${line}: ${run}`);
      else ids = known;
    }
  });
}

test('shell examples › the pages that show sessions are run', (t) => {
  const run = pages.map(({ document }) => document);
  const wanted = ['README.md', 'docs/rest.md'];
  t.deepEqual(
    wanted.filter((document) => !run.includes(document)),
    [],
  );
});
