import { isVbsError } from '@vbs/core';
import { Command, InvalidArgumentError } from 'commander';
import { labDown, labShell, labStatus, labTest, labUp } from './commands.js';
import { type NamedGuest, parseGuests } from './lab/guest-names.js';

const say = (line: string): void => void process.stderr.write(`lab: ${line}\n`);

function guestsOf(text: string): readonly NamedGuest[] {
  try {
    return parseGuests(text);
  } catch (error) {
    if (!isVbsError(error)) throw error;
    throw new InvalidArgumentError(error.message);
  }
}

const program = new Command('lab').description("Guests with kernels of their own, under QEMU's software emulation.");
program.enablePositionalOptions();
program.option('--name <name>', 'which lab', process.env.VBS_LAB ?? 'default');
const nameOf = (): string => program.opts<{ name: string }>().name;

program
  .command('up')
  .description('bring the lab up, and build what it needs')
  .option('--guests <guests>', 'how many, or their names with commas between, as vs1,dom0:xen', guestsOf, parseGuests('3'))
  .action(async ({ guests }: { guests: readonly NamedGuest[] }) => await labUp(nameOf(), guests, say));
program
  .command('status')
  .description('tell what runs')
  .action(async () => await labStatus());
program
  .command('shell')
  .description('run a command in a guest, or a shell')
  .argument('<guest>')
  .argument('[command...]')
  .passThroughOptions()
  .action(async (guest: string, command: readonly string[]) => {
    process.exitCode = await labShell(nameOf(), guest, command);
  });
program
  .command('down')
  .description('end every guest and remove what the lab left')
  .action(async () => await labDown(nameOf(), say));
program
  .command('test')
  .description('run the tests that need the lab; it is brought up when it is down, and then taken down again')
  .argument('[words...]', 'for scripts/test.mjs: files, --match')
  .allowUnknownOption()
  .passThroughOptions()
  .action(async (words: readonly string[]) => {
    process.exitCode = await labTest(nameOf(), words, say);
  });

try {
  await program.parseAsync();
} catch (error) {
  if (!isVbsError(error)) throw error;
  say(`${error.code}: ${error.message}`);
  process.exitCode = error.code === 'INVALID_ARGUMENT' ? 2 : 1;
}
