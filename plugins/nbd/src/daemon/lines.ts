import type { Socket } from 'node:net';

/** Hands over each whole line that comes; a longer one than `longest` characters destroys the socket with an error. */
export function onLines(socket: Socket, longest: number, handle: (line: string) => void): void {
  let parts: string[] = [];
  let length = 0;
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    let rest = text;
    for (let end = rest.indexOf('\n'); end >= 0 && !socket.destroyed; end = rest.indexOf('\n')) {
      const line = parts.join('') + rest.slice(0, end);
      parts = [];
      length = 0;
      rest = rest.slice(end + 1);
      if (line.length > longest) socket.destroy(new Error(`a line of more than ${longest} characters`));
      else handle(line);
    }
    length += rest.length;
    if (length > longest) socket.destroy(new Error(`a line of more than ${longest} characters`));
    else if (rest !== '') parts.push(rest);
  });
}

export function sendLine(socket: Socket, value: object): void {
  socket.write(`${JSON.stringify(value)}\n`);
}
