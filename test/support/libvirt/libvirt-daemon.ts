import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const startLimitMs = 60_000;

/**
 * Runs as the first process of namespaces of its own: libvirt's folders are there what lies in $1, nobody outside sees it, and whatever it
 * has started ends with it. It ends when its standard input does, also when the tests are killed.
 */
const script = `
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir /run/libvirt
mount --bind "$1/run" /run/libvirt
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/lib" /var/lib/libvirt
mount --bind "$1/log" /var/log/libvirt
mount --bind "$1/cache" /var/cache/libvirt
virtlogd -p "$1/virtlogd.pid" >"$1/virtlogd.log" 2>&1 </dev/null &
libvirtd -p "$1/libvirtd.pid" >"$1/libvirtd.log" 2>&1 </dev/null &
cat >/dev/null
exit 0
`;

/** A libvirtd of a test file's own, as root, beside any that the machine may have. */
export class LibvirtDaemon {
  readonly #process: ChildProcess;

  private constructor(
    readonly directory: string,
    process: ChildProcess,
  ) {
    this.#process = process;
  }

  static async start(): Promise<LibvirtDaemon> {
    // QEMU, which is another user, must get in.
    const directory = await mkdtemp(join(tmpdir(), 'vbs-libvirt-'));
    await chmod(directory, 0o755);
    for (const folder of ['run', 'etc', 'lib', 'log', 'cache']) await mkdir(join(directory, folder), { mode: 0o755 });
    await writeFile(join(directory, 'etc/libvirtd.conf'), 'auth_unix_rw = "none"\nlog_outputs = "3:stderr"\n');
    await writeFile(join(directory, 'etc/qemu.conf'), 'security_driver = "none"\n');
    const words = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script, 'sh', directory];
    const path = `${process.env.PATH}:/usr/sbin:/sbin`;
    const child = spawn('unshare', words, { stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, PATH: path, LC_ALL: 'C' } });
    const daemon = new LibvirtDaemon(directory, child);
    let told = '';
    child.stderr?.on('data', (text: Buffer) => {
      told += text.toString();
    });
    const end = Date.now() + startLimitMs;
    while (
      !(await daemon.virsh('list').then(
        () => true,
        () => false,
      ))
    ) {
      if (child.exitCode !== null || Date.now() > end) {
        const log = await readFile(join(directory, 'libvirtd.log'), 'utf8').catch(() => '');
        await daemon.stop();
        throw new Error(`libvirtd did not start: ${told.slice(-500)} ${log.slice(-1000)}`);
      }
      await pause(50);
    }
    return daemon;
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${this.directory}/run/libvirt-sock`;
  }

  /** What an operator types. */
  async virsh(...words: readonly string[]): Promise<string> {
    return (await run('virsh', ['-q', '-c', this.uri, ...words], { timeout: 60_000, env: { ...process.env, LC_ALL: 'C' } })).stdout;
  }

  /** A file that QEMU may read. */
  async write(name: string, content: string | Uint8Array, mode = 0o644): Promise<string> {
    const path = join(this.directory, name);
    await writeFile(path, content, { mode });
    return path;
  }

  /** Everything that libvirt and QEMU have logged. */
  async logs(): Promise<string> {
    const names = await readdir(this.directory, { recursive: true });
    const logs = names.filter((name) => name.endsWith('.log'));
    return (await Promise.all(logs.map((log) => readFile(join(this.directory, log), 'utf8')))).join('\n');
  }

  /** Ends it with every guest. */
  async stop(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const ended = once(this.#process, 'exit');
      this.#process.kill('SIGKILL');
      await ended;
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}
