import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { newFolder, vbs } from './vbs.js';

test.serial('completion › leaves out words of a server that a shell would run with the line into which it puts them', async (t) => {
  const ids = ['vol-0123456789abcdef0', 'vol-$(touch here)', 'vol-`id`', 'vol-;id', 'vol-a b', 'vol-|id', "vol-'", 'vol-\nid'];
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ items: ids.map((id) => ({ id })), nextCursor: null }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  t.teardown(() => server.close().closeAllConnections());
  const environment = {
    VBS_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    VBS_DATA_DIR: join(await newFolder(t), 'd'),
  };
  const { code, out } = await vbs(t, ['complete', '--', 'delete-volume', 'vol-'], { environment });
  t.is(code, 0);
  const words = out.trimEnd().split('\n').slice(0, -1);
  t.deepEqual(
    words.map((line) => line.split('\t')[0]),
    ['vol-0123456789abcdef0'],
  );
});
