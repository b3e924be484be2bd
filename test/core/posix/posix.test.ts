import { open } from 'node:fs/promises';
import path from 'node:path';
import { nextData, punchHole, zeroExtent } from '@vbs/core/posix';
import test, { type ExecutionContext } from 'ava';
import { temporaryDirectory } from '../plugin/fixtures.js';

const KiB = 1024;

async function newFile(t: ExecutionContext) {
  const file = await open(path.join(await temporaryDirectory(t), 'file'), 'wx+');
  t.teardown(() => file.close());
  return file;
}

test('punchHole › gives the room back: the extent is a hole and reads zeros', async (t) => {
  const file = await newFile(t);
  await file.write(Buffer.alloc(256 * KiB, 1));
  await punchHole(file.fd, { offset: 64 * KiB, length: 64 * KiB });
  t.deepEqual(nextData(file.fd, 64 * KiB), { offset: 128 * KiB, length: 128 * KiB });
  t.deepEqual((await file.read(Buffer.alloc(1), 0, 1, 64 * KiB)).buffer, Buffer.alloc(1));
});

const fails = test.macro(
  async (t: ExecutionContext, act: typeof punchHole, fdOf: (t: ExecutionContext) => Promise<number>, length: number, code: string) => {
    await t.throwsAsync(act(await fdOf(t), { offset: 0, length }), { code });
  },
);
const ofDevice = async (t: ExecutionContext) => {
  const file = await open('/dev/null', 'r+');
  t.teardown(() => file.close());
  return file.fd;
};
const ofFile = async (t: ExecutionContext) => (await newFile(t)).fd;
test('punchHole › on what is no file tells what the kernel said', fails, punchHole, ofDevice, 4096, 'ENODEV');
test('punchHole › of no length tells what the kernel said', fails, punchHole, ofFile, 0, 'EINVAL');
test('zeroExtent › on a descriptor that is closed tells what the kernel said', fails, zeroExtent, async () => 1_000_000, 4096, 'EBADF');

test('punchHole › each of many calls at once ends with its own outcome', async (t) => {
  const file = await newFile(t);
  await file.write(Buffer.alloc(64 * KiB, 1));
  const device = await ofDevice(t);
  const outcomes = await Promise.all(
    Array.from({ length: 2_000 }, (_, index) => {
      const [fd, length] = [
        [file.fd, 4096],
        [device, 4096],
        [1_000_000, 4096],
        [file.fd, -1],
      ][index % 4] as [number, number];
      return punchHole(fd, { offset: 0, length }).then(
        () => 'done',
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
    }),
  );
  t.deepEqual([...new Set(outcomes.map((outcome, index) => `${index % 4} ${outcome}`))].sort(), [
    '0 done',
    '1 ENODEV',
    '2 EBADF',
    '3 EINVAL',
  ]);
});
