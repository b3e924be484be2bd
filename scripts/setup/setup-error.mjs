/** A set-up that cannot go on, with a message that says what to do. */
export class SetupError extends Error {}

export function say(text) {
  process.stdout.write(`set-up: ${text}\n`);
}
