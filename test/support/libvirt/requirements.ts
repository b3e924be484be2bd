import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import test from 'ava';
import { busybox, guestKernel } from './guest-kernel.js';
import { Guests } from './guests.js';

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
const tools = ['virsh', 'libvirtd', 'virtlogd', 'qemu-system-x86_64', 'unshare', 'cpio', 'dpkg', 'apt-get'];

async function missing(more: readonly string[]): Promise<string> {
  const absent = [...tools, ...more].filter((tool) => !folders.some((folder) => existsSync(join(folder, tool))));
  if (absent.length > 0) return `${absent.join(', ')} is not installed`;
  if (process.getuid?.() !== 0) return 'libvirtd needs root';
  if (!existsSync('/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so'))
    return "libvirt's driver for QEMU is not installed";
  if (!existsSync(busybox) || readFileSync(busybox).includes('/lib64/ld-linux')) return 'busybox-static is not installed';
  try {
    await guestKernel();
    return '';
  } catch (error) {
    return `a kernel for guests cannot be had: ${String(error).slice(0, 100).replaceAll('\n', ' ')}`;
  }
}

/** `test.serial`, or `test.skip` with the reason for its title, where libvirt with guests, or one of the tools, cannot be had. */
export async function withLibvirt(...more: readonly string[]) {
  const reason = await missing(more);
  return reason === '' ? { test: test.serial, why: '' } : { test: test.skip, why: ` (skipped: ${reason})` };
}

/** A libvirtd with running guests for all tests of the file, which ends after them. */
export function sharedGuests({ why }: { readonly why: string }, ...names: readonly string[]): () => Guests {
  let guests: Guests | undefined;
  if (why === '') {
    test.before('libvirtd and its guests start', async (t) => {
      t.timeout(180_000);
      guests = await Guests.start(...names);
      t.pass();
    });
    test.after.always('libvirtd and its guests end', async (t) => {
      await guests?.stop();
      t.pass();
    });
  }
  return () => {
    if (guests === undefined) throw new TypeError('there are no guests before the tests begin');
    return guests;
  };
}
