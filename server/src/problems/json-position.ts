/**
 * Where a text stops being the beginning of any JSON, in characters from 0; its length where only the rest is missing. V8 tells the
 * place in some of its messages only, so the others are asked again about beginnings of the text.
 */
export function jsonErrorPosition(text: string): number {
  let [legal, broken] = [0, text.length + 1];
  while (broken - legal > 1) {
    const middle = Math.floor((legal + broken) / 2);
    if (mayGoOn(text.slice(0, middle))) legal = middle;
    else broken = middle;
  }
  return legal;
}

/** Whether more text could make it JSON: it is JSON, or V8 finds nothing wrong before its end. */
function mayGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    if (message.startsWith('Unexpected end of JSON input')) return true;
    const position = / at position ([0-9]+)/.exec(message)?.[1];
    return position !== undefined && Number(position) >= beginning.length;
  }
}
