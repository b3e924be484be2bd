import type { CommandSpec } from '../command-spec.js';

const shells = ['bash', 'zsh', 'fish'] as const;

export const completionCommand: CommandSpec = {
  name: 'completion',
  group: 'Other',
  summary: 'Print what a shell needs to complete vbs',
  description: [
    'Prints a script for the shell. It completes commands, options and states, and ids that a running server knows, which it asks for a short time.',
  ],
  arguments: [{ name: 'shell', text: 'The shell.', choices: shells }],
  examples: [
    { line: 'source <(vbs completion bash)', text: 'bash: put it into ~/.bashrc.' },
    { line: 'source <(vbs completion zsh)', text: 'zsh: put it into ~/.zshrc, below compinit.' },
    { line: 'vbs completion fish > ~/.config/fish/completions/vbs.fish', text: 'fish: once.' },
  ],
  seeAlso: ['help'],
  run: async (invocation) => {
    const { scriptOf } = await import('../completion/script.js');
    process.stdout.write(scriptOf(invocation.argument(0)));
    return undefined;
  },
};
