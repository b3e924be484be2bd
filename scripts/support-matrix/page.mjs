import { table } from '../generate/configuration/key-table.mjs';
import { places } from './evidence.mjs';

const kinds = {
  volumeBackend: 'volume backend',
  targetExporter: 'target exporter',
  initiator: 'initiator',
  hypervisor: 'hypervisor',
  cloudResolver: 'cloud resolver',
};
const machines = { any: 'here, or over SSH', local: "VBS's own only" };
const columns = { 'stand-in': 'on stand-ins', here: 'on real tools, beside VBS', guest: 'on real tools, in guests with their own kernel' };

const opening = `# What works with what

This page is written by \`scripts/support-matrix.mjs\` from the plugins' manifests and from reports of test runs; CI compares it with what
ran there. The three columns on the right say where the [conformance kit](../conformance/README.md) passed whole, and what was real in that run: stand-in tools
are strict about syntax and answer with the real tools' texts, and are no proof that a real tool behaves so; "in guests" is
[the lab](lab.md), whose kits take too long for CI: their column is what the last whole run of \`npm run test:lab\` showed. "–" means that
no whole run was seen there; single tests may have passed.
`;

/** The page as text. */
export function pageOf(rows, evidence) {
  const head = ['plugin', 'provides', 'capabilities', 'volumes and protocols', 'tools run', ...Object.values(columns)];
  const body = rows.map((row) => [
    `[${row.plugin}](../${row.folder}/README.md)`,
    kinds[row.kind],
    row.capabilities.join(', ') || '–',
    row.speaks || '–',
    machines[row.machine],
    ...[...places.keys()].map((place) => [...(evidence.get(`${row.plugin}/${row.kind}/${place}`) ?? [])].sort().join('; ') || '–'),
  ]);
  return `${opening}\n${table(head, body)}\n`;
}

/** The rows of a page, cell by cell: what it claims; of guests, the last column, only where it is asked for. */
export function claimsOf(page, { guests }) {
  const lines = page.split('\n').filter((line) => line.startsWith('| ['));
  return new Set(
    lines.flatMap((line) => {
      const [plugin, provides, ...cells] = line.split(' | ');
      const kept = guests ? cells : cells.slice(0, -1);
      return kept.map((cell, index) => `${plugin.slice(2)} ${provides}, column ${index + 3}: ${cell.replace(/ \|$/, '')}`);
    }),
  );
}
