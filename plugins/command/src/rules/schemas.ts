import { toldCodes } from './errors.js';

const expression = { type: 'string', minLength: 1, maxLength: 1000 } as const;
const run = {
  type: 'string',
  minLength: 1,
  maxLength: 4000,
  description: 'The command pattern. Words are split at white space; `<name>` stands for a value; there is no shell.',
} as const;
const exits = { type: 'array', items: { type: 'integer', minimum: 0, maximum: 255 }, minItems: 1 } as const;
const okExits = { ...exits, description: 'Exit codes that are no failure; only 0 unless told.', examples: [[0, 21]] } as const;

/** The schema of an OutputRule. */
export function outputSchema(description: string, examples: { readonly run: string; readonly lines: readonly string[] }): object {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['run', 'lines'],
    description,
    properties: {
      run: { ...run, examples: [examples.run] },
      lines: {
        type: 'array',
        minItems: 1,
        maxItems: 20,
        items: expression,
        description:
          'Regular expressions (JavaScript, flag u) with named groups; each line of the output is read by the first that matches it.',
        examples: [examples.lines],
      },
      ignore: {
        type: 'array',
        maxItems: 20,
        items: expression,
        description: 'Regular expressions of the lines that tell nothing of interest. A line that no rule explains is an error.',
        examples: [['^Name +ID +Mem ']],
      },
      okExits,
    },
  };
}

/** The schema of a list of steps; `conditions`: when one is run, where that is not always. */
export function stepsSchema(description: string, example: string, conditions: object = {}): object {
  return {
    type: 'array',
    minItems: 1,
    maxItems: 20,
    description,
    examples: [[{ run: example }]],
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['run'],
      properties: {
        run: { ...run, examples: [example] },
        input: { type: 'string', maxLength: 4000, description: "Text for the command's standard input, as it is.", examples: ['1'] },
        okExits,
        ...conditions,
      },
    },
  };
}

/** The schema of a list of error rules. */
export const errorsSchema = {
  type: 'array',
  maxItems: 50,
  description: 'What a failed command means, the first rule that fits counts. What no rule tells is unknown, and is looked at again.',
  examples: [[{ text: 'Permission denied', means: 'PERMISSION_DENIED' }]],
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['means'],
    properties: {
      exits: { ...exits, description: 'It fits these exit codes; every one but success unless told.', examples: [[3]] },
      text: {
        ...expression,
        description: 'It fits where a line of standard error matches this expression.',
        examples: ['Permission denied'],
      },
      means: {
        enum: toldCodes,
        description: 'The error code; requested: the guest was asked, and has not let go.',
        examples: ['NOT_FOUND'],
      },
    },
  },
} as const;

export { run as runSchema };
