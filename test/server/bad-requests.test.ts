import type { Limits } from '@vbs/server';
import test from 'ava';
import { badBodies } from './support/bad-bodies.js';
import { badFields } from './support/bad-fields.js';
import { badHeaders } from './support/bad-headers.js';
import { badPaths, badQueries } from './support/bad-paths.js';
import { newBadPlace } from './support/bad-place.js';
import { badRaw, badSlow } from './support/bad-raw.js';
import { faultsWith } from './support/bad-refusal.js';
import type { BadRequest } from './support/bad-request.js';
import { badOfEachRoute } from './support/bad-routes.js';
import { badSizes } from './support/bad-sizes.js';
import { badStates } from './support/bad-states.js';

/** Each is refused as its table says, changes nothing, and lets the next request through. */
const areRefused = test.macro({
  title: (given) => `bad requests › ${given} are refused, change nothing, and leave the server well`,
  async exec(t, table: readonly BadRequest[], limits: Partial<Limits> = {}) {
    t.timeout(120_000);
    const place = await newBadPlace(t, limits);
    const faults: string[] = [];
    for (const bad of table) for (const fault of await faultsWith(place, bad)) faults.push(`${bad.what}: ${fault}`);
    t.deepEqual(faults, []);
  },
});

const tables = {
  'bodies that are no JSON of ours': badBodies,
  'sizes that are none': badSizes,
  'fields that are not legal': badFields,
  'requests that a state does not allow': badStates,
  'headers that are not legal': badHeaders,
  'paths and ids with tricks': badPaths,
  'parameters that are not legal': badQueries,
  'bytes that are no HTTP': badRaw,
} as const;

// One after the other: they are bound by this process, and each has a store whose leases want their turn.
for (const [what, table] of Object.entries(tables)) test.serial(what, areRefused, table);
test.serial('requests that never end', areRefused, badSlow, { headersMs: 150, requestMs: 250 });

test.serial('bad requests › each route refuses unknown ids, other kinds, parameters and methods', async (t) => {
  t.timeout(120_000);
  const place = await newBadPlace(t);
  const { body: document } = await place.call('GET', '/openapi.json');
  const table = badOfEachRoute(document);
  t.true(table.length > 150);
  const faults: string[] = [];
  for (const bad of table) for (const fault of await faultsWith(place, bad)) faults.push(`${bad.what}: ${fault}`);
  t.deepEqual(faults, []);
});

test('bad requests › there are more than 150 of them beside those of the routes, each with a title of its own', (t) => {
  const all = [...Object.values(tables).flat(), ...badSlow].map(({ what }) => what);
  t.true(all.length >= 150, `${all.length}`);
  t.deepEqual(
    all.filter((what, index) => all.indexOf(what) !== index),
    [],
  );
});
