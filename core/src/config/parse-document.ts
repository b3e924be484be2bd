import { LineCounter, parseDocument } from 'yaml';
import type { ConfigurationFault } from './fault.js';

/** Reads one YAML document; JSON is YAML too. Faults tell line and column. */
export function parseConfigurationText(text: string): { readonly value: unknown; readonly faults: readonly ConfigurationFault[] } {
  const lines = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      stringKeys: true,
      logLevel: 'silent',
    });
    const faults = [...document.errors, ...document.warnings].map((problem) => {
      const { line, col } = lines.linePos(problem.pos[0]);
      return { path: '', message: `line ${line}, column ${col}: ${problem.message}` };
    });
    return { value: faults.length > 0 ? undefined : (document.toJS({ maxAliasCount: 100 }) as unknown), faults };
  } catch (error) {
    // Aliases that lead nowhere or unfold without end, brackets nested too deep.
    return { value: undefined, faults: [{ path: '', message: error instanceof Error ? error.message : String(error) }] };
  }
}
