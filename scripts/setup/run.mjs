import { spawn } from 'node:child_process';

const keptOutput = 64 * 1024;

/** Runs a command, shows what it prints as it comes, and answers its exit code and the end of its output. */
export function run(command, args, { cwd, env = process.env, timeLimitMs, quiet = false }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeLimitMs });
    let output = '';
    const keep = (stream) => (data) => {
      if (!quiet) stream.write(data);
      output = (output + data).slice(-keptOutput);
    };
    child.stdout.on('data', keep(process.stdout));
    child.stderr.on('data', keep(process.stderr));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ ok: code === 0, ended: signal ?? `exit ${code}`, output }));
  });
}
