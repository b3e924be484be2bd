import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { MiB, makeFile, pattern } from './nbd-fixture.js';
import { makeServer, type ServerFixture } from './server-fixture.js';
import { run, withTools } from './tools.js';

const GiB = 1024 * MiB;

async function allocated(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

/** An image with data at its begin, in its middle and at its very end, and holes between. */
async function makeImage(path: string, sizeBytes: number): Promise<{ readonly path: string; readonly dataBytes: number }> {
  await makeFile(path, sizeBytes);
  const file = await open(path, 'r+');
  await file.write(pattern(1, 3 * MiB), 0, 3 * MiB, 0);
  await file.write(pattern(2, MiB), 0, MiB, Math.floor(sizeBytes / 2 / MiB) * MiB);
  await file.write(pattern(3, 777), 0, 777, sizeBytes - 777);
  await file.sync();
  await file.close();
  return { path, dataBytes: await allocated(path) };
}

async function served(
  t: ExecutionContext,
  sizeBytes: number,
): Promise<ServerFixture & { readonly into: string; readonly image: string; readonly dataBytes: number }> {
  const server = await makeServer(t);
  const { path, dataBytes } = await makeImage(join(server.directory, 'image'), sizeBytes);
  const { file } = await server.serve('exp-in', sizeBytes);
  await server.serve('exp-out', sizeBytes, { path, access: 'read-only' });
  return Object.assign(Object.create(server) as ServerFixture, { into: file.path, image: path, dataBytes });
}

const nbdcopy = withTools('nbdcopy', 'cmp');
for (const sizeBytes of [64 * MiB, 10 * GiB, 5 * MiB + 1]) {
  nbdcopy(`nbdcopy › an image of ${sizeBytes} bytes goes in and out unchanged, and its holes stay holes`, async (t) => {
    const { uri, into, image, dataBytes, directory } = await served(t, sizeBytes);
    await run('nbdcopy', ['--flush', image, uri('exp-in')]);
    const out = join(directory, 'out');
    await makeFile(out, 0);
    await run('nbdcopy', [uri('exp-out'), out]);
    for (const copy of [into, out]) {
      t.true((await allocated(copy)) <= dataBytes + MiB, `${await allocated(copy)} for ${dataBytes} bytes of data`);
      if (sizeBytes < GiB) await run('cmp', [image, copy]);
      else
        for (const at of [0, 5 * GiB - MiB, sizeBytes - 4 * MiB]) await run('cmp', ['-i', String(at), '-n', String(4 * MiB), image, copy]);
    }
  });
}

nbdcopy('nbdcopy › from one export to another, by many connections', async (t) => {
  const { uri, into, image } = await served(t, 96 * MiB);
  await run('nbdcopy', ['--connections=8', '--threads=8', uri('exp-out'), uri('exp-in')]);
  t.true((await readFile(into)).equals(await readFile(image)));
});

const qemuImg = withTools('qemu-img');
qemuImg('qemu-img › maps, converts and compares, and skips the holes', async (t) => {
  const { uri, into, dataBytes, image, directory } = await served(t, 256 * MiB);
  const map = JSON.parse((await run('qemu-img', ['map', '--output=json', '-f', 'raw', uri('exp-out')])).stdout) as {
    data: boolean;
    length: number;
  }[];
  t.is(
    map.reduce((sum, { length }) => sum + length, 0),
    256 * MiB,
  );
  t.is(
    map.filter(({ data }) => data).reduce((sum, { length }) => sum + length, 0),
    dataBytes,
  );
  await run('qemu-img', ['convert', '-n', '-f', 'raw', '-O', 'raw', '-W', '-m', '8', uri('exp-out'), uri('exp-in')]);
  await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', uri('exp-out'), uri('exp-in')]);
  t.true((await readFile(into)).equals(await readFile(image)));
  const out = join(directory, 'out.qcow2');
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', uri('exp-out'), out]);
  t.true((await allocated(out)) <= dataBytes + 2 * MiB);
  await run('qemu-img', ['convert', '-n', '-f', 'qcow2', '-O', 'raw', out, uri('exp-in')]);
  await run('qemu-img', ['compare', '-f', 'qcow2', '-F', 'raw', out, uri('exp-in')]);
  await writeFile(out, '');
});

qemuImg('qemu-img compare › finds the one byte that differs', async (t) => {
  const { uri, into, image } = await served(t, 32 * MiB);
  await writeFile(into, await readFile(image));
  const file = await open(into, 'r+');
  await file.write(Buffer.from([1]), 0, 1, 20 * MiB + 5);
  await file.close();
  await t.throwsAsync(run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', uri('exp-out'), uri('exp-in')]), { code: 1 });
});
