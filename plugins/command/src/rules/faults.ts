import { type CommandPattern, type ConfigurationFault, isVbsError, nearest, parsePattern, pointer } from '@vbs/core';
import type { ErrorRule } from './errors.js';
import { groupNames } from './expressions.js';
import type { OutputRule } from './output.js';

/** What a pattern may and must hold. */
export interface PatternUse {
  /** Each placeholder with what it stands for. */
  readonly legal: readonly string[];
  readonly required?: readonly string[];
  /** Those that may name an option (`-<vmDev>`), since rules of the configuration limit their values. */
  readonly options?: readonly string[];
}

/** Collects what is wrong with one configuration, each with its JSON pointer below the instance. */
export class Faults {
  readonly found: ConfigurationFault[] = [];

  add(path: readonly (string | number)[], message: string): void {
    this.found.push({ path: pointer('', ...path), message });
  }

  /** The pattern, where it can be used. */
  pattern(
    path: readonly (string | number)[],
    text: string,
    { legal, required = [], options = [] }: PatternUse,
  ): CommandPattern | undefined {
    let pattern: CommandPattern;
    try {
      pattern = parsePattern(String(path.at(-1)), text);
    } catch (error) {
      if (!isVbsError(error)) throw error;
      this.add(path, error.message);
      return undefined;
    }
    const list = (names: readonly string[]): string => names.map((name) => `<${name}>`).join(', ');
    for (const name of pattern.placeholders) {
      if (legal.includes(name)) continue;
      const near = nearest(name, legal);
      const advice = near === undefined ? (legal.length === 0 ? 'It takes none.' : `Legal are ${list(legal)}.`) : `Did you mean <${near}>?`;
      this.add(path, `there is no value for <${name}> here. ${advice}`);
    }
    const missing = required.filter((name) => !pattern.placeholders.has(name));
    if (missing.length > 0) this.add(path, `the pattern leaves ${list(missing)} out, without which the tool cannot know what is meant`);
    for (const name of optionNames(pattern)) {
      if (legal.includes(name) && !options.includes(name)) {
        const who = options.length === 0 ? 'no value may' : `only ${list(options)} may`;
        this.add(path, `<${name}> would name an option: ${who}, since no rule limits the others. Write the option out`);
      }
    }
    return pattern;
  }

  /** The groups of an expression, where it is one. */
  expression(path: readonly (string | number)[], source: string, legal: readonly string[]): readonly string[] {
    try {
      const groups = groupNames(source);
      for (const name of groups) {
        if (legal.includes(name)) continue;
        const near = nearest(name, legal);
        const listed = legal.length === 0 ? 'It takes none.' : `Legal are ${legal.map((group) => `(?<${group}>…)`).join(', ')}.`;
        this.add(path, `there is no use for the group (?<${name}>…) here. ${near === undefined ? listed : `Did you mean (?<${near}>…)?`}`);
      }
      return groups;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.add(path, `is no regular expression of JavaScript with the flag u: ${error.message}`);
      return [];
    }
  }

  /** The groups of each of an output's lines. */
  output(path: readonly (string | number)[], rule: OutputRule, use: PatternUse, groups: readonly string[]): readonly (readonly string[])[] {
    this.pattern([...path, 'run'], rule.run, use);
    for (const [index, source] of (rule.ignore ?? []).entries()) this.expression([...path, 'ignore', index], source, []);
    return rule.lines.map((source, index) => this.expression([...path, 'lines', index], source, groups));
  }

  errors(rules: readonly ErrorRule[]): void {
    for (const [index, { exits, text }] of rules.entries()) {
      if (exits === undefined && text === undefined)
        this.add(['errors', index], 'says neither "exits" nor "text": it would be true of all');
      if (text !== undefined) this.expression(['errors', index, 'text'], text, []);
    }
  }
}

/** The placeholders right behind nothing but dashes. */
function optionNames({ words }: CommandPattern): readonly string[] {
  return words.flatMap(([first, second]) =>
    first !== undefined && 'literal' in first && /^-+$/.test(first.literal) && second !== undefined && 'placeholder' in second
      ? [second.placeholder]
      : [],
  );
}
