import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { timed } from '../harness/interleave.js';
import { startProgram } from '../harness/start-program.js';
import type { Bench, Measurement } from '../measurement.js';
import type { Aim, MeasuredRow, Row } from '../row.js';
import { cinder } from './peer-figures.js';
import { RestClient, requireState, textOf } from './rest-client.js';
import type { RestServerArgument, RestServerReady } from './rest-server.js';

export interface RestOptions {
  /** How often one volume is made, attached and read. */
  readonly runs: number;
  /** Volumes that 8 clients make in each of the batches. */
  readonly batch: number;
  readonly batches: number;
  /** The length of the list; so many volumes are there at least. */
  readonly listed: number;
  readonly lists: number;
}

const clients = 8;
const size = '1GiB';
const place = { vmmHost: 'sandbox', vmId: 'vm1', device: 'xvdb' } as const;
/** Twenty times better: a twentieth of the time, or twenty times as many. */
const twentieth: readonly Aim[] = [{ kind: 'ratio-at-most', value: 0.05 }];

/** The REST server in a process of its own, with real files and NBD exports, asked by this process over kept connections. */
export const rest: Measurement = {
  name: 'rest',
  title: 'REST server, against what Cinder 21.3 took with a driver that touches no storage',
  limitMs: { quick: 180_000, full: 300_000 },
  run: (bench) =>
    measureRest({ batch: 200, batches: 5, listed: 1_000, ...(bench.quick ? { runs: 20, lists: 5 } : { runs: 200, lists: 40 }) }, bench),
};

export async function* measureRest(options: RestOptions, bench: Bench): AsyncGenerator<Row> {
  const directory = path.join(bench.directory, 'store');
  await mkdir(directory);
  const argument: RestServerArgument = { directory };
  const server = await startProgram<RestServerReady>(new URL('./rest-server.js', import.meta.url), argument, bench);
  const client = new RestClient(server.ready.origin, clients, bench.signal);
  bench.cleanup.defer('closing the client', () => client.close());
  const { runs, lists, listed } = options;
  const volumes: string[] = [];
  const create = async () => {
    const volume = await client.send('POST', '/v1/volumes', { size });
    requireState(volume, 'available');
    volumes.push(textOf(volume, 'id'));
  };

  yield row('create, until available', 'ms', await repeat(runs, () => timed(create)), cinder.createMs, twentieth);

  const attached = await repeat(runs, (turn) => attachOnce(client, volumes[turn % volumes.length] ?? ''));
  yield row('attach, until attached', 'ms', attached, cinder.attachMs, twentieth);

  const [first = ''] = volumes;
  const got = await repeat(runs, () => timed(() => client.send('GET', `/v1/volumes/${first}`)));
  yield row('get one volume', 'ms', got, cinder.getOneMs, twentieth);

  bench.say(`${options.batches} times ${options.batch} volumes by ${clients} clients`);
  const rates = await repeat(options.batches, async () => (options.batch * 1_000) / (await timed(() => atOnce(options.batch, create))));
  const manyAims: readonly Aim[] = [
    { kind: 'at-least', value: 200 },
    { kind: 'ratio-at-least', value: 20 },
  ];
  yield row(`creates by ${clients} clients`, '/s', rates, cinder.createsPerSecond, manyAims);

  await atOnce(listed - volumes.length, create);
  const list = async () => {
    const { items } = await client.send('GET', `/v1/volumes?limit=${listed}`);
    if (!Array.isArray(items) || items.length !== listed) throw new Error(`the list should have ${listed} volumes`);
  };
  yield row(`list ${listed.toLocaleString('en-US')} volumes`, 'ms', await repeat(lists, () => timed(list)), cinder.list1000Ms, twentieth);

  const memory = await residentMB(server.pid);
  yield row('memory of the server, after all this', 'MB', [memory], cinder.memoryMB, [{ kind: 'ratio-at-most', value: 1 }]);
}

function row(what: string, unit: string, vbs: readonly number[], figures: number | readonly number[], aims: readonly Aim[]): MeasuredRow {
  const samples = typeof figures === 'number' ? [figures] : figures;
  return { kind: 'measured', what, unit, vbs, peer: { name: cinder.name, samples }, aims };
}

/** The times of so many runs, after a tenth as many that do not count. */
async function repeat(runs: number, run: (turn: number) => Promise<number>): Promise<readonly number[]> {
  const samples: number[] = [];
  const warmUp = Math.ceil(runs / 10);
  for (let turn = 0; turn < warmUp + runs; turn++) {
    const sample = await run(turn);
    if (turn >= warmUp) samples.push(sample);
  }
  return samples;
}

/** Only the attach counts. */
async function attachOnce(client: RestClient, volumeId: string): Promise<number> {
  let attachmentId = '';
  const took = await timed(async () => {
    const attachment = await client.send('POST', `/v1/volumes/${volumeId}/attachments`, place);
    requireState(attachment, 'attached');
    attachmentId = textOf(attachment, 'id');
  });
  await client.send('DELETE', `/v1/volumes/${volumeId}/attachments/${attachmentId}`);
  return took;
}

/** Does something so many times, by 8 clients of which each waits for its answer before it asks again. */
async function atOnce(count: number, act: () => Promise<void>): Promise<void> {
  let begun = 0;
  const one = async (): Promise<void> => {
    while (begun < count) {
      begun += 1;
      await act();
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
}

/** The memory of a process that is in RAM, in units of 1,000,000 bytes. proc_pid_status(5). */
async function residentMB(pid: number): Promise<number> {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kibibytes === undefined) throw new Error('the server has ended');
  return (Number(kibibytes) * 1_024) / 1e6;
}
