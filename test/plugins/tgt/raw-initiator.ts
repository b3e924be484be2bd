import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';

/**
 * A small iSCSI initiator (RFC 7143): logs in, with CHAP where it is asked for, and sends one SCSI command after the other. It can stop in the
 * middle of a login, shows raw pages, and never tries again by itself, which libiscsi and QEMU do not offer.
 */
export interface RawInitiator {
  command(
    cdb: Buffer,
    data?: { readonly read?: number; readonly write?: Buffer },
  ): Promise<{ readonly data: Buffer; readonly status: number; readonly sense: Buffer }>;
  /** Ends a login that stopped before its last exchange. */
  finish(): Promise<void>;
  close(): void;
}

export interface LoginOptions {
  readonly port: number;
  readonly iqn: string;
  readonly initiator: string;
  readonly chap?: { readonly user: string; readonly password: string };
  /** Stop before the exchange that would end the login. */
  readonly stopInTheMiddle?: true;
}

interface Pdu {
  readonly header: Buffer;
  readonly data: Buffer;
}

const headerBytes = 48;
const limitMs = 10_000;
const goodStatus = 0;

export async function login(options: LoginOptions): Promise<RawInitiator> {
  const socket = dial(options.port, '127.0.0.1');
  socket.setTimeout(limitMs, () => socket.destroy(new Error('the target did not answer in time')));
  await once(socket, 'connect');
  const wire = new Wire(socket);
  let task = 1;
  let statSn = 0;
  let cmdSn = 1;
  const text = (pairs: Readonly<Record<string, string>>): Buffer =>
    Buffer.from(
      Object.entries(pairs)
        .map(([key, value]) => `${key}=${value}\0`)
        .join(''),
    );

  async function exchange(stage: number, next: number | undefined, pairs: Readonly<Record<string, string>>): Promise<Map<string, string>> {
    const header = Buffer.alloc(headerBytes);
    header[0] = 0x43;
    header[1] = (next === undefined ? 0 : 0x80 | next) | (stage << 2);
    header.writeUIntBE(0x80_00_00, 8, 3);
    header.writeUInt16BE(1, 12);
    header.writeUInt32BE(task, 16);
    header.writeUInt32BE(cmdSn, 24);
    header.writeUInt32BE(statSn, 28);
    wire.send(header, text(pairs));
    const answer = await wire.next();
    const status = answer.header.readUInt16BE(36);
    if (status !== 0) {
      socket.destroy();
      throw new Error(`the login was refused with ${status}`);
    }
    statSn = answer.header.readUInt32BE(24) + 1;
    const fields = answer.data
      .toString('latin1')
      .split('\0')
      .filter((pair) => pair !== '');
    return new Map(fields.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  }

  const names = { InitiatorName: options.initiator, TargetName: options.iqn, SessionType: 'Normal' };
  const { chap } = options;
  if (chap === undefined) await exchange(0, 1, { ...names, AuthMethod: 'None' });
  else {
    await exchange(0, undefined, { ...names, AuthMethod: 'CHAP,None' });
    const asked = await exchange(0, undefined, { CHAP_A: '5' });
    const id = Number(asked.get('CHAP_I'));
    const challenge = Buffer.from((asked.get('CHAP_C') ?? '').replace(/^0x/i, ''), 'hex');
    const answer = createHash('md5')
      .update(Buffer.from([id]))
      .update(chap.password)
      .update(challenge)
      .digest('hex');
    await exchange(0, 1, { CHAP_N: chap.user, CHAP_R: `0x${answer}` });
  }
  const finish = async (): Promise<void> => {
    await exchange(1, 3, {
      HeaderDigest: 'None',
      DataDigest: 'None',
      InitialR2T: 'Yes',
      ImmediateData: 'Yes',
      MaxRecvDataSegmentLength: '65536',
      ErrorRecoveryLevel: '0',
    });
  };
  if (options.stopInTheMiddle !== true) await finish();

  async function command(cdb: Buffer, { read = 0, write }: { readonly read?: number; readonly write?: Buffer } = {}) {
    const header = Buffer.alloc(headerBytes);
    header[0] = 0x01;
    header[1] = 0x80 | (read > 0 ? 0x40 : 0) | (write === undefined ? 0 : 0x20) | 1;
    header.writeUInt16BE(1, 8);
    task += 1;
    header.writeUInt32BE(task, 16);
    header.writeUInt32BE(write?.length ?? read, 20);
    header.writeUInt32BE(cmdSn, 24);
    cmdSn += 1;
    header.writeUInt32BE(statSn, 28);
    cdb.copy(header, 32);
    wire.send(header, write ?? Buffer.alloc(0));
    const data = Buffer.alloc(read);
    for (;;) {
      const pdu = await wire.next();
      const opcode = (pdu.header[0] ?? 0) & 0x3f;
      // A ping of the target's own is left without an answer.
      if (opcode === 0x20) continue;
      if (opcode === 0x25) pdu.data.copy(data, pdu.header.readUInt32BE(40));
      const isLast = opcode === 0x21 || (opcode === 0x25 && ((pdu.header[1] ?? 0) & 1) === 1);
      if (opcode !== 0x21 && opcode !== 0x25) throw new Error(`the target sent the operation ${opcode}`);
      if (!isLast) continue;
      statSn = pdu.header.readUInt32BE(24) + 1;
      const status = pdu.header[3] ?? goodStatus;
      return { data, status, sense: opcode === 0x21 ? pdu.data.subarray(2) : Buffer.alloc(0) };
    }
  }
  return { command, finish, close: () => socket.destroy() };
}

/** PDUs over a socket, in order; everything fails once the connection is lost. */
class Wire {
  #received = Buffer.alloc(0);
  #lost: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(private readonly socket: Socket) {
    socket.on('data', (bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#lost = new Error('the connection was lost');
      this.#wake();
    });
  }

  send(header: Buffer, data: Buffer): void {
    header.writeUIntBE(data.length, 5, 3);
    this.socket.write(Buffer.concat([header, data, Buffer.alloc((4 - (data.length % 4)) % 4)]));
  }

  async next(): Promise<Pdu> {
    for (;;) {
      const length = this.#received.length < headerBytes ? 0 : this.#received.readUIntBE(5, 3);
      const whole = headerBytes + length + ((4 - (length % 4)) % 4);
      if (this.#received.length >= headerBytes && this.#received.length >= whole) {
        const pdu = { header: this.#received.subarray(0, headerBytes), data: this.#received.subarray(headerBytes, headerBytes + length) };
        this.#received = this.#received.subarray(whole);
        return pdu;
      }
      if (this.#lost !== undefined) throw this.#lost;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
