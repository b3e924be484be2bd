import type { CommandSpec } from '../command-spec.js';
import type { Finding } from '../doctor/finding.js';
import type { View } from '../output/views.js';

const view: View<Finding> = {
  idOf: ({ check }) => check,
  columns: [
    { title: 'STATE', of: ({ state }) => (state === 'fault' ? 'FAULT' : state) },
    { title: 'CHECK', of: ({ check }) => check },
    { title: 'WHAT WAS SEEN', of: ({ detail }) => detail },
  ],
};

export const doctorCommand: CommandSpec = {
  name: 'doctor',
  group: 'Looking after it',
  summary: 'Find out what is wrong, and what to do about it',
  description: [
    'Looks at Node.js, the state directory with its owner and modes, the configuration with all its faults, the server, every instance with its tools, daemons and permissions, the pools, the routes, and operations that are stuck. Each fault comes with what to do.',
    'It asks the running server; without one it opens the store itself, for as long as it looks, but only where there is one already.',
  ],
  examples: [
    { line: 'vbs doctor', text: 'Before you ask somebody.' },
    { line: 'vbs doctor --output json', text: 'For monitoring: ok, and the findings.' },
  ],
  exitStatus: [
    ['0', 'Nothing is wrong.'],
    ['1', 'Something is: each fault says what to do.'],
    ['2', 'Wrong usage.'],
  ],
  seeAlso: ['config', 'operations', 'routes', 'pools', 'reconcile'],
  run: async (_, context) => {
    const { examine } = await import('../doctor/examine.js');
    const findings = await examine(context);
    const isWell = findings.every(({ state }) => state !== 'fault');
    const { quiet } = context.settings;
    const shown = quiet ? findings.filter(({ state }) => state === 'fault') : findings;
    await context.printList(shown, view, { ok: isWell, findings });
    if (!context.json)
      for (const { check, todo, state } of shown)
        if (todo !== null) context.line(`${state === 'fault' ? 'to do' : 'note'}: ${check}: ${todo}`);
    return isWell ? 0 : 1;
  },
};
