import { Argument, Command, Option } from 'commander';
import type { ArgumentSpec, CommandSpec, OptionSpec } from './command-spec.js';
import type { Context } from './context/context.js';
import { globalOptions } from './help/common.js';
import { manualOf } from './help/manual.js';
import { overview } from './help/overview.js';
import { helpWidth, renderText } from './help/render-text.js';
import { Invocation } from './invocation.js';

/** What the program needs to run a command. */
export interface Runtime {
  /** Made from the options of the call. */
  readonly context: (options: Readonly<Record<string, unknown>>) => Context;
  readonly ended: (exitStatus: number) => void;
}

/** The command line as a commander program; errors of usage are thrown as CommanderError, and nothing is printed for them. */
export function buildProgram(commands: readonly CommandSpec[], version: string, runtime: Runtime): Command {
  const program = new Command('vbs')
    .version(version, '--version')
    .helpOption('--help')
    .helpCommand('help [command]')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  for (const spec of globalOptions) program.addOption(optionOf(spec));
  program.configureHelp({ formatHelp: () => renderText(overview(commands), helpWidth(process.stdout.columns)) });
  for (const spec of commands) program.addCommand(commandOf(spec, program, `vbs ${spec.name}`, runtime));
  return program;
}

function commandOf(spec: CommandSpec, parent: Command, path: string, runtime: Runtime): Command {
  const { name, summary, arguments: given = [], options = [], commands = [], run } = spec;
  const command = new Command(name).copyInheritedSettings(parent).summary(summary).description(summary);
  command.configureHelp({
    formatHelp: () => renderText(manualOf(spec, path, { withGlobals: true }), helpWidth(process.stdout.columns)),
  });
  for (const argument of given) command.addArgument(argumentOf(argument));
  for (const option of options) command.addOption(optionOf(option));
  for (const one of commands) command.addCommand(commandOf(one, command, `${path} ${one.name}`, runtime));
  if (run !== undefined)
    command.action(async (...values: unknown[]) => {
      const all: Record<string, unknown> = command.optsWithGlobals();
      const status = await run(new Invocation(values.slice(0, given.length), all), runtime.context(all));
      runtime.ended(status ?? 0);
    });
  return command;
}

function argumentOf({ name, text, optional, variadic, choices }: ArgumentSpec): Argument {
  const shown = variadic === true ? `${name}...` : name;
  const argument = new Argument(optional === true ? `[${shown}]` : `<${shown}>`, text);
  return choices === undefined ? argument : argument.choices(choices);
}

function optionOf({ flags, text, choices, parse }: OptionSpec): Option {
  const option = new Option(flags, text);
  if (choices !== undefined) option.choices(choices);
  if (parse !== undefined) option.argParser((value) => parse(value, flags));
  return option;
}
