import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { anchorsOf, filesBelow, linksOf, readDocument, root } from './markdown.js';

const documents = await filesBelow('.', (path) => path.endsWith('.md'));

test('links › the pages that everybody starts from are there', (t) => {
  const wanted = [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'core/README.md',
    'docs/architecture.md',
    'docs/cli.md',
    'docs/configuration.md',
    'docs/decisions/README.md',
    'docs/errors.md',
    'docs/integrators.md',
    'docs/limitations.md',
    'docs/operators.md',
    'docs/performance.md',
    'docs/plugin-authors.md',
    'docs/rest.md',
    'docs/safety.md',
  ];
  t.deepEqual(
    wanted.filter((path) => !documents.includes(path)),
    [],
  );
});

for (const document of documents) {
  test(`links › every relative link of ${document} leads to a file, and its anchor to a heading`, async (t) => {
    const markdown = await readDocument(document);
    const faults: string[] = [];
    for (const link of linksOf(markdown)) {
      if (/^[a-z][a-z0-9+.-]*:/i.test(link)) continue;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? document : join(dirname(document), decodeURIComponent(path));
      if (target.startsWith('..')) faults.push(`${link} leads out of the repository`);
      else if (!existsSync(join(root, target))) faults.push(`${link}: there is no ${target}`);
      else if (anchor !== undefined && target.endsWith('.md') && !anchorsOf(await readDocument(target)).has(anchor))
        faults.push(`${link}: ${target} has no heading for #${anchor}`);
    }
    t.deepEqual(faults, []);
  });
}

/** The documents that a document links to, by their paths from the root. */
async function linkedFrom(document: string): Promise<readonly string[]> {
  const paths = linksOf(await readDocument(document)).map((link) => decodeURIComponent(link.split('#')[0] ?? ''));
  return paths.map((path) => join(dirname(document), path)).filter((path) => documents.includes(path));
}

test('links › every guide, every decision and the README of every package is reached from README.md', async (t) => {
  const reached = new Set(['README.md']);
  // A set tells what is added while it is gone through.
  for (const document of reached) for (const path of await linkedFrom(document)) reached.add(path);
  const wanted = documents.filter((path) => path.startsWith('docs/') || /^[^/]+\/README\.md$/.test(path) || !path.includes('/'));
  t.true(wanted.length > 20);
  t.deepEqual(
    wanted.filter((path) => !reached.has(path)),
    [],
  );
});

test('links › the index of decisions names every record', async (t) => {
  const records = documents.filter((path) => /^docs\/decisions\/\d{4}-/.test(path)).map((path) => path.slice('docs/decisions/'.length));
  const named = new Set(linksOf(await readDocument('docs/decisions/README.md')));
  t.true(records.length > 0);
  t.deepEqual(
    records.filter((record) => !named.has(record)),
    [],
  );
});
