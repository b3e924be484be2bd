/** The demo with one bit turned in the first bytes that a VM reads: run by demo.test.ts as a process of its own. */
import { runDemo } from '@vbs/demo';

let reads = 0;
const succeeded = await runDemo({
  out: process.stdout,
  pretty: false,
  signal: AbortSignal.timeout(60_000),
  hooks: {
    afterRead: (bytes) => {
      reads += 1;
      if (reads > 1) return bytes;
      const turned = Buffer.from(bytes);
      turned.writeUInt8(turned.readUInt8(0) ^ 1, 0);
      return turned;
    },
  },
});
process.exitCode = succeeded ? 0 : 1;
