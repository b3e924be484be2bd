/**
 * Writes docs/support-matrix.md: what each plugin provides, from its manifest, and where the conformance kit passed on it, from reports of
 * test runs (`VBS_TEST_REPORT=FILE npm test`, likewise `npm run test:lab`).
 *
 *   node scripts/support-matrix.mjs [--check] REPORT...
 *
 * `--check` changes nothing, and exits 1 when the page says other than the manifests, or claims what these runs did not show. Runs without
 * the lab say nothing of what it says of guests.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evidenceOf } from './support-matrix/evidence.mjs';
import { manifestRows } from './support-matrix/manifest-rows.mjs';
import { claimsOf, pageOf } from './support-matrix/page.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = join(root, 'docs/support-matrix.md');
const check = process.argv[2] === '--check';
const reports = process.argv.slice(check ? 3 : 2);
if (reports.length === 0 || reports.some((word) => word.startsWith('-'))) {
  process.stderr.write('usage: node scripts/support-matrix.mjs [--check] REPORT...\n');
  process.exit(2);
}

const titles = reports.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')));
const evidence = evidenceOf(titles);
const guests = [...evidence.keys()].some((key) => key.endsWith('/guest'));
const rows = await manifestRows(root);
const page = pageOf(rows, evidence);
if (!check) {
  writeFileSync(path, page);
  process.stdout.write('docs/support-matrix.md written\n');
} else {
  const there = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const seen = claimsOf(page, { guests });
  const said = claimsOf(there, { guests });
  const faults = [...said].filter((claim) => !seen.has(claim)).map((claim) => `claims ${claim}, which these runs did not show`);
  const unsaid = [...seen].filter((claim) => !said.has(claim)).map((claim) => `does not tell of ${claim}`);
  for (const fault of [...faults, ...unsaid]) process.stderr.write(`docs/support-matrix.md ${fault}\n`);
  if (faults.length + unsaid.length > 0) {
    process.stderr.write('write it anew by node scripts/support-matrix.mjs REPORT...\n');
    process.exitCode = 1;
  }
}
