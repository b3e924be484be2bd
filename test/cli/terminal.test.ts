import { execFileSync, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { embedded, program, served, start, startVbs, vbs } from './vbs.js';

function has(tool: string): boolean {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** A server that answers every GET with one volume, whatever bytes are in its comment: what a hostile or broken one could do. */
async function answering(t: ExecutionContext, comment: string): Promise<string> {
  const volume = {
    id: 'vol-0123456789abcdef0',
    state: 'available',
    sizeBytes: 1024,
    requestedBytes: 1024,
    comment,
    snapshotId: null,
    backend: 'vs1/files',
    createdAt: '2026-01-02T03:04:05.678Z',
    attachments: [],
  };
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ items: [volume], nextCursor: null }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

const hostile = '\u001b]0;owned\u0007\u001b[2Jx\u202ey\u009b31mz\nvol-11111111111111111 available\r!';
/** Characters that act on a terminal; a line end is none. */
const acting = /[^\n\P{Cc}]|[\u202a-\u202e\u2066-\u2069]/u;

test.serial('a hostile comment › reaches neither table nor JSON as it is, and makes no line of its own', async (t) => {
  const endpoint = await answering(t, hostile);
  const table = await vbs(t, ['describe-volumes', '--endpoint', endpoint]);
  t.is(table.code, 0);
  t.notRegex(table.out, acting);
  t.is(table.out.trimEnd().split('\n').length, 2);
  t.true(table.out.includes('\\u001b[2Jx\\u202ey\\u009b31mz\\u000avol-1'));
  const json = await vbs(t, ['describe-volumes', '--endpoint', endpoint, '--output', 'json']);
  t.notRegex(json.out, acting);
  t.is((JSON.parse(json.out) as { items: { comment: string }[] }).items[0]?.comment, hostile);
});

test.serial('hostile arguments › control characters, very long ones and escapes are refused or kept, and never echoed', async (t) => {
  const store = await embedded(t);
  for (const given of [
    ['create-volume', '1MiB', hostile],
    ['create-volume', hostile],
    ['create-volume', '1MiB', 'x'.repeat(2_000)],
    [hostile],
    ['pools', `--${hostile}`],
    ['delete-volume', hostile],
    ['delete-volume', 'v'.repeat(100_000)],
    ['describe-volumes', '--cursor', hostile],
    ['describe-volumes', '--state', hostile],
    ['attach-volume', 'vol-0123456789abcdef0', hostile, hostile, hostile],
  ]) {
    const { code, out, err } = await store.try(...given);
    t.true(code === 1 || code === 2, err);
    t.is(out, '');
    t.notRegex(err, acting);
  }
  const kept = await store.json('create-volume', '1MiB', '--', '--looks-like-an-option');
  t.is(kept.comment, '--looks-like-an-option');
  t.is((await store.try('create-volume', '1MiB', '-x')).code, 2);
});

test.serial('a pipe › gets no colours, no progress, and lines as long as they are', async (t) => {
  const endpoint = await answering(t, 'c'.repeat(300));
  const { out, err } = await vbs(t, ['describe-volumes', '--endpoint', endpoint], { environment: { FORCE_COLOR: '1', COLUMNS: '40' } });
  t.true(out.includes('c'.repeat(300)));
  t.notRegex(out, acting);
  t.is(err, '');
});

const withTerminal = has('script') ? test.serial : test.serial.skip;
const reason = has('script') ? '' : ' (skipped: util-linux script is not installed)';

for (const columns of [40, 60, 100])
  withTerminal(`a terminal of ${columns} columns › the table fits, ids are whole${reason}`, async (t) => {
    const endpoint = await answering(t, 'c'.repeat(300));
    const line = `stty cols ${columns}; ${process.execPath} ${program} describe-volumes --endpoint ${endpoint}`;
    const { code, out } = await start(t, 'script', ['-qec', line, '/dev/null'], { environment: { TERM: 'xterm-256color' } }).ended();
    t.is(code, 0, out);
    const lines = out.trimEnd().split(/\r?\n/);
    t.is(lines.length, 2, out);
    for (const one of lines) t.true(one.length <= columns, `${one.length}: ${one}`);
    t.regex(out, /vol-0123456789abcdef0 +available/);
  });

test.serial('EPIPE › a reader that goes away ends a command quietly', async (t) => {
  const store = await served(t);
  await store.run('create-volume', '1MiB');
  const child = spawn('bash', ['-c', `set -o pipefail; "${process.execPath}" "${program}" events --after 0 | head -1`], {
    env: { ...process.env, ...store.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  t.teardown(() => child.kill('SIGKILL'));
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  // Something must happen for the command to notice that nobody reads: each volume is an event.
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  let ended = false;
  void closed.then(() => {
    ended = true;
  });
  for (let n = 0; n < 20 && !ended; n++) await store.run('create-volume', '1MiB');
  t.is(await closed, 0);
  t.is(err, '');
  t.regex(out, /^1 .* volume\.pending/);
});

test.serial('Ctrl-C › ends the waiting, says which operation goes on and how to see it, exit status 130', async (t) => {
  // A server that answers the create with an operation that never ends.
  const operation = {
    id: 'op-0123456789abcdef0',
    kind: 'create-volume',
    state: 'running',
    resourceId: 'vol-0123456789abcdef0',
    step: 'populate-volume',
    progress: { doneBytes: 1, totalBytes: 2 },
    error: null,
    reason: null,
    createdAt: '2026-01-02T03:04:05.678Z',
    updatedAt: '2026-01-02T03:04:05.678Z',
  };
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    response.writeHead(request.method === 'POST' ? 202 : 200, { 'content-type': 'application/json', 'vbs-operation': operation.id });
    response.end(JSON.stringify(operation));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const endpoint = `http://127.0.0.1:${port}`;

  const running = startVbs(t, ['create-volume', '1MiB', '--endpoint', endpoint]);
  while (asked < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  running.process.kill('SIGINT');
  const { code, out, err } = await running.ended();
  t.is(code, 130);
  t.is(out, '');
  t.regex(err, /interrupted; operation op-0123456789abcdef0 goes on in the server: vbs operations show op-0123456789abcdef0/);

  const late = await vbs(t, ['create-volume', '1MiB', '--endpoint', endpoint, '--timeout', '500ms']);
  t.is(late.code, 3);
  t.regex(late.err, /^vbs: DEADLINE_EXCEEDED: not ended within 0\.5 s; operation op-0123456789abcdef0 goes on in the server/);
});

test.serial('a connection that breaks › the request is sent again with the same key, and no other is', async (t) => {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'] as string | undefined);
    if (keys.length < 3) request.socket.destroy();
    else
      response
        .writeHead(404, { 'content-type': 'application/problem+json' })
        .end(JSON.stringify({ code: 'NOT_FOUND', detail: 'gone', status: 404, title: 'x', type: 'x' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const { code, err } = await vbs(t, ['delete-volume', 'vol-0123456789abcdef0', '--endpoint', `http://127.0.0.1:${port}`]);
  t.is(code, 1);
  t.regex(err, /^vbs: NOT_FOUND: gone/);
  t.is(keys.length, 3);
  t.is(new Set(keys).size, 1);
  t.truthy(keys[0]);

  keys.length = 0;
  const act = await vbs(t, ['operations', 'abandon', 'op-0123456789abcdef0', '--endpoint', `http://127.0.0.1:${port}`]);
  t.is(act.code, 1);
  t.regex(act.err, /^vbs: UNAVAILABLE: .* broke the connection/);
  t.is(keys.length, 1);
});
