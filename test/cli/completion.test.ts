import { execFileSync } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { newFolder, program, served, start, vbs } from './vbs.js';

function has(shell: string): boolean {
  try {
    execFileSync(shell, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const inShell = (shell: string) => (has(shell) ? test.serial : test.serial.skip);
const reason = (shell: string) => (has(shell) ? '' : ` (skipped: ${shell} is not installed)`);

/** A folder for PATH with `vbs` in it. */
async function withProgram(t: ExecutionContext): Promise<string> {
  const folder = await newFolder(t);
  const file = join(folder, 'vbs');
  await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${program}" "$@"\n`);
  await chmod(file, 0o755);
  return folder;
}

async function completions(t: ExecutionContext, ...typed: readonly string[]): Promise<readonly string[]> {
  const { code, out } = await vbs(t, ['complete', '--', ...typed], { environment: { VBS_DATA_DIR: join(await newFolder(t), 'd') } });
  t.is(code, 0);
  return out
    .trimEnd()
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t')[0] ?? '');
}

test.serial('completion › knows commands, subcommands, options, and the choices of options and arguments', async (t) => {
  t.deepEqual(await completions(t, 'describe-'), ['describe-volumes', 'describe-snapshots', 'describe-attachments']);
  t.deepEqual(await completions(t, 'operations', ''), ['list', 'show', 'retry', 'abandon', 'cancel']);
  t.true((await completions(t, 'describe-volumes', '--')).includes('--state'));
  t.deepEqual(await completions(t, 'describe-snapshots', '--state', ''), ['pending', 'completed', 'deleting', 'error']);
  t.deepEqual(await completions(t, 'completion', ''), ['bash', 'zsh', 'fish']);
  t.deepEqual(await completions(t, 'pools', '--output', 'j'), ['json']);
});

test.serial('completion › ids, backends and VMM hosts come from the running server; without one there are none', async (t) => {
  const store = await served(t);
  const id = (await store.run('create-volume', '1MiB', '--quiet')).trim();
  const ask = async (...typed: readonly string[]) => (await vbs(t, ['complete', '--', ...typed], { environment: store.environment })).out;
  t.true((await ask('delete-volume', 'vol-')).startsWith(`${id}\t`));
  t.true((await ask('create-volume', '--backend', '')).startsWith('local/files\t'));
  t.true((await ask('attach-volume', id, '')).startsWith('sandbox\t'));
  t.deepEqual(await completions(t, 'delete-volume', 'vol-'), []);
});

inShell('bash')(
  `completion › bash sources the script, completes with it, and evaluates nothing that is being typed${reason('bash')}`,
  async (t) => {
    const store = await served(t);
    const id = (await store.run('create-volume', '1MiB', '--quiet')).trim();
    const path = `${await withProgram(t)}:${process.env.PATH}`;
    const line = `
    source <(vbs completion bash)
    name=_vbs_complete
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=\${#COMP_LINE}; COMPREPLY=(); "$name"; echo "\${COMPREPLY[@]}"; }
    try vbs describe-v
    try vbs describe-volumes --state = deta
    try vbs describe-volumes '$(touch touched)' '\`touch touched\`' --st
    ls touched 2>/dev/null
    try vbs delete-volume vol-
  `;
    const { code, out, err } = await start(t, 'bash', ['--norc', '-c', line], {
      environment: { ...store.environment, PATH: path },
      cwd: await newFolder(t),
    }).ended();
    t.is(code, 0, err);
    t.deepEqual(
      out
        .trimEnd()
        .split('\n')
        .map((one) => one.trim()),
      ['describe-volumes', 'detaching', '--state', id],
    );
  },
);

inShell('zsh')(`completion › zsh sources the script below compinit, and has a completer for vbs${reason('zsh')}`, async (t) => {
  const path = `${await withProgram(t)}:${process.env.PATH}`;
  const line = 'autoload -U compinit && compinit -D && source <(vbs completion zsh) && echo "completer: $_comps[vbs]"';
  const { code, out, err } = await start(t, 'zsh', ['-f', '-c', line], { environment: { PATH: path } }).ended();
  t.is(code, 0, err);
  t.regex(out, /^completer: _\w+\n$/);
});

inShell('fish')(`completion › fish sources the script and completes with it${reason('fish')}`, async (t) => {
  const folder = await newFolder(t);
  const path = `${await withProgram(t)}:${process.env.PATH}`;
  const line = "vbs completion fish | source; complete -C 'vbs describe-v'";
  const environment = { PATH: path, HOME: folder, VBS_DATA_DIR: join(folder, 'd') };
  const { code, out, err } = await start(t, 'fish', ['--no-config', '-c', line], { environment }).ended();
  t.is(code, 0, err);
  t.regex(out, /^describe-volumes\t/);
});
