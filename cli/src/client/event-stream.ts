import { failure } from './failure.js';

/** One message of a text/event-stream. */
export interface Message {
  readonly id: string;
  readonly data: string;
}

const longestMessage = 1024 * 1024;

/** The messages of a stream of server-sent events (HTML Living Standard, 9.2.6); comments and empty messages are left out. */
export async function* messagesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Message, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest = `${rest}${decoder.decode(chunk, { stream: true })}`.replaceAll('\r\n', '\n');
    const parts = rest.split('\n\n');
    rest = parts.pop() ?? '';
    if (rest.length > longestMessage) throw failure('UNAVAILABLE', 'the server sent an event above 1 MiB: this is no VBS server');
    for (const part of parts) {
      const message = messageOf(part);
      if (message !== null) yield message;
    }
  }
}

function messageOf(text: string): Message | null {
  const data: string[] = [];
  let id = '';
  for (const line of text.split('\n')) {
    const [, field, value = ''] = /^([^:]+)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') data.push(value);
    else if (field === 'id') id = value;
  }
  return data.length === 0 ? null : { id, data: data.join('\n') };
}
