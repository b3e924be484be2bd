import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { extractVmlinux, payloadOf } from '@vbs/lab/internal/build/vmlinux.js';
import test from 'ava';

/** A bzImage as its header describes it, with two sectors of set-up before the protected-mode code. */
function bzImage(payload: Buffer, offset = 64): Buffer {
  const image = Buffer.alloc(3 * 512 + offset + payload.length + 100, 0xaa);
  image[0x1f1] = 2;
  image.write('HdrS', 0x202, 'latin1');
  image.writeUInt32LE(offset, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  payload.copy(image, 3 * 512 + offset);
  return image;
}

const kernel = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46]), Buffer.from('a kernel'.repeat(1_000))]);
const withoutXz = spawnSync('xz', ['--version']).error === undefined ? undefined : 'xz is not installed';

test('payloadOf › is what the header names', (t) => {
  t.deepEqual(payloadOf(bzImage(Buffer.from('payload'))), Buffer.from('payload'));
});

test('payloadOf › refuses what is no bzImage, or is cut off', (t) => {
  t.throws(() => payloadOf(Buffer.alloc(2_000)), { message: /no bzImage/ });
  t.throws(() => payloadOf(bzImage(kernel).subarray(0, 2_000)), { message: /cut off/ });
});

test('extractVmlinux › undoes gzip', async (t) => {
  t.deepEqual(await extractVmlinux(bzImage(gzipSync(kernel))), kernel);
});

(withoutXz === undefined ? test : test.skip)(
  `extractVmlinux › undoes xz, whose stream is followed by the kernel's length${withoutXz === undefined ? '' : ` (skipped: ${withoutXz})`}`,
  async (t) => {
    const packed = spawnSync('xz', ['-c', '--check=crc32'], { input: kernel }).stdout;
    t.deepEqual(await extractVmlinux(bzImage(Buffer.concat([packed, Buffer.from([1, 2, 3, 4])]))), kernel);
  },
);

test('extractVmlinux › refuses a compression that it does not know, and what is no ELF file', async (t) => {
  await t.throwsAsync(extractVmlinux(bzImage(Buffer.from('whatever it is'))), { message: /compression is not known/ });
  await t.throwsAsync(extractVmlinux(bzImage(gzipSync(Buffer.from('no kernel')))), { message: /no ELF file/ });
});
