import { type Call, type ChapCredentials, Secret } from '@vbs/core';
import { secretOf } from './names.js';
import type { Tools } from './tools.js';
import { secretXml } from './write-xml.js';

/** Gives libvirt the CHAP secret of an attachment, or gives it anew. @throws how virsh failed. */
export async function defineSecret(
  call: Call,
  tools: Tools,
  attachmentId: string,
  { password }: ChapCredentials,
  put: (text: string | Secret) => Promise<string>,
): Promise<void> {
  const defined = await tools.change(call, attachmentId, 'defineSecret', { file: await put(secretXml(attachmentId)) });
  if (defined !== undefined) throw defined;
  const file = await put(new Secret(Buffer.from(password.reveal()).toString('base64')));
  const set = await tools.change(call, attachmentId, 'setSecret', { file, secret: secretOf(attachmentId) });
  if (set !== undefined) throw set;
}

/** The absent is success. */
export async function removeSecret(call: Call, tools: Tools, attachmentId: string): Promise<void> {
  const failure = await tools.change(call, attachmentId, 'removeSecret', { secret: secretOf(attachmentId) });
  if (failure !== undefined && failure.context.reason !== 'no-secret') throw failure;
}
