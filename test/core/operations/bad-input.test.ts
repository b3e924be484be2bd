import { type BlockStore, type ErrorCode, isVbsError } from '@vbs/core';
import test from 'ava';
import { dump, MiB, newStore, vmmHost } from '../../support/store.js';

/** What there is when a table begins. */
interface Scene {
  readonly store: BlockStore;
  /** Available. */
  readonly volumeId: string;
  /** Attached to vm1 as xvdb. */
  readonly attachedId: string;
  readonly attachmentId: string;
  readonly snapshotId: string;
}

type Act = (scene: Scene) => Promise<unknown>;
type Row = readonly [name: string, act: Act, code: ErrorCode, field?: string | null];

const noVolume = 'vol-00000000000000000';
const noSnapshot = 'snap-00000000000000000';
const noAttachment = 'att-00000000000000000';
const noOperation = 'op-00000000000000000';
const megabytes = 'x'.repeat(10_000_000);
/** Nothing that a caller gives may reach a message of the database, or the place in the code that refused it. */
const innards = /select |insert |update |SQLITE|constraint|node_modules|\bat .*\.js:\d|undefined|\[object|Cannot (read|convert)/i;

/** Hands over what no type admits, as a caller without types would. */
const untyped = (value: unknown) => value as never;

const refused = test.macro({
  title: (_, operation: string) => `${operation} › refuses each bad request with its code and field, and changes nothing`,
  async exec(t, _: string, rows: readonly Row[]) {
    const { store, volume, directory } = await newStore(t);
    const [free, used] = [await volume(MiB), await volume(MiB)];
    const attachment = await store.attachVolume({ volumeId: used.id, vmmHost, vmId: 'vm1', device: 'xvdb' }, { wait: true });
    const snapshot = await store.createSnapshot({ volumeId: free.id }, { wait: true });
    const scene: Scene = { store, volumeId: free.id, attachedId: used.id, attachmentId: attachment.id, snapshotId: snapshot.id };
    const before = await dump(directory);
    const faults: string[] = [];
    for (const [name, act, code, field] of rows)
      faults.push(...(await faultsOf(act(scene), code, field)).map((fault) => `${name}: ${fault}`));
    t.deepEqual(faults, []);
    t.deepEqual(await dump(directory), before);
  },
});

async function faultsOf(refusal: Promise<unknown>, code: ErrorCode, field: string | null | undefined): Promise<readonly string[]> {
  const error: unknown = await refusal.then(
    () => new Error('was accepted'),
    (thrown: unknown) => thrown,
  );
  if (!isVbsError(error)) return [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  const { message, context } = error;
  return [
    ...(error.code === code ? [] : [`${error.code} for ${code}: ${message}`]),
    ...(field === null || context.field === field ? [] : [`names ${String(context.field)} for ${field}: ${message}`]),
    ...(innards.test(message) ? [`shows what is inside: ${message}`] : []),
    ...(message.length < 1_000 ? [] : [`a message of ${message.length} characters`]),
  ];
}

const everyRequest = (act: (scene: Scene, request: unknown, options?: unknown) => Promise<unknown>): Row[] => [
  ['null', (s) => act(s, null), 'INVALID_ARGUMENT', 'request'],
  ['undefined', (s) => act(s, undefined), 'INVALID_ARGUMENT', 'request'],
  ['a text', (s) => act(s, 'vol-1'), 'INVALID_ARGUMENT', 'request'],
  ['a number', (s) => act(s, 5), 'INVALID_ARGUMENT', 'request'],
  ['a list', (s) => act(s, []), 'INVALID_ARGUMENT', 'request'],
];

const everyVolumeId = (act: (scene: Scene, volumeId: unknown) => Promise<unknown>): Row[] => [
  ['no volume id', (s) => act(s, undefined), 'INVALID_ARGUMENT', 'volumeId'],
  ['volume id null', (s) => act(s, null), 'INVALID_ARGUMENT', 'volumeId'],
  ['a snapshot id for a volume id', (s) => act(s, s.snapshotId), 'INVALID_ARGUMENT', 'volumeId'],
  ['an attachment id for a volume id', (s) => act(s, s.attachmentId), 'INVALID_ARGUMENT', 'volumeId'],
  ['a path for a volume id', (s) => act(s, '../../etc/passwd'), 'INVALID_ARGUMENT', 'volumeId'],
  ['a path behind a prefix', (s) => act(s, 'vol-../../../etc/pas'), 'INVALID_ARGUMENT', 'volumeId'],
  ['SQL for a volume id', (s) => act(s, "' or 1=1 --"), 'INVALID_ARGUMENT', 'volumeId'],
  ['10 MB for a volume id', (s) => act(s, megabytes), 'INVALID_ARGUMENT', 'volumeId'],
  ['a list of volume ids', (s) => act(s, [s.volumeId]), 'INVALID_ARGUMENT', 'volumeId'],
  ['an object for a volume id', (s) => act(s, { volumeId: s.volumeId }), 'INVALID_ARGUMENT', 'volumeId'],
  ['a volume id in upper case', (s) => act(s, s.volumeId.toUpperCase()), 'INVALID_ARGUMENT', 'volumeId'],
  ['an unknown volume id', (s) => act(s, noVolume), 'NOT_FOUND', null],
];

const create = ({ store }: Scene, request: unknown, options?: unknown) => store.createVolume(untyped(request), untyped(options ?? {}));
test(refused, 'createVolume', [
  ...everyRequest(create),
  ...[0, -1, -0, '0', '-5GiB', 1e30, Number.POSITIVE_INFINITY, 2 ** 53, '9PiB'].map(
    (size): Row => [`size ${String(size)}`, (s) => create(s, { size }), 'OUT_OF_RANGE', 'size'],
  ),
  ...[1.5, '1.5', '1.5 bytes', '5 parsecs', '1e30', Number.NaN, '', null, undefined, {}, [5], true, 5n, Object.create(null)].map(
    (size, index): Row => [`bad size ${index}`, (s) => create(s, { size }), 'INVALID_ARGUMENT', 'size'],
  ),
  ['more than the file system can hold', (s) => create(s, { size: 2 ** 53 - 1 }), 'OUT_OF_RANGE', 'size'],
  ['a comment of 10 MB', (s) => create(s, { size: MiB, comment: megabytes }), 'INVALID_ARGUMENT', 'comment'],
  ['a comment with a line break', (s) => create(s, { size: MiB, comment: 'a\nb' }), 'INVALID_ARGUMENT', 'comment'],
  ['a comment with a lone surrogate', (s) => create(s, { size: MiB, comment: '\ud800' }), 'INVALID_ARGUMENT', 'comment'],
  ['a comment with a right-to-left override', (s) => create(s, { size: MiB, comment: 'a\u202eb' }), 'INVALID_ARGUMENT', 'comment'],
  ['a comment that is a number', (s) => create(s, { size: MiB, comment: 5 }), 'INVALID_ARGUMENT', 'comment'],
  ['a misspelt field', (s) => create(s, { size: MiB, snapshotID: s.snapshotId }), 'INVALID_ARGUMENT', 'snapshotID'],
  ['a field of another operation', (s) => create(s, { size: MiB, volumeId: s.volumeId }), 'INVALID_ARGUMENT', 'volumeId'],
  ['a volume id for a snapshot id', (s) => create(s, { size: MiB, snapshotId: s.volumeId }), 'INVALID_ARGUMENT', 'snapshotId'],
  ['a number for a snapshot id', (s) => create(s, { size: MiB, snapshotId: 5 }), 'INVALID_ARGUMENT', 'snapshotId'],
  ['an unknown snapshot id', (s) => create(s, { size: MiB, snapshotId: noSnapshot }), 'NOT_FOUND', 'snapshotId'],
  ['smaller than its snapshot', (s) => create(s, { size: 512, snapshotId: s.snapshotId }), 'OUT_OF_RANGE', 'size'],
  ['size null with a snapshot', (s) => create(s, { size: null, snapshotId: s.snapshotId }), 'INVALID_ARGUMENT', 'size'],
  ['an unknown backend', (s) => create(s, { size: MiB, backend: 'vs1/slow' }), 'NOT_FOUND', 'backend'],
  ['a backend by a path', (s) => create(s, { size: MiB, backend: '../vs1/files' }), 'NOT_FOUND', 'backend'],
  ['a backend of the prototype', (s) => create(s, { size: MiB, backend: '__proto__' }), 'NOT_FOUND', 'backend'],
  ['a backend that is a number', (s) => create(s, { size: MiB, backend: 5 }), 'INVALID_ARGUMENT', 'backend'],
  ['a backend that is null', (s) => create(s, { size: MiB, backend: null }), 'INVALID_ARGUMENT', 'backend'],
  ['a backend of 10 MB', (s) => create(s, { size: MiB, backend: megabytes }), 'INVALID_ARGUMENT', 'backend'],
  ['a misspelt option', (s) => create(s, { size: MiB }, { clienttoken: 'x' }), 'INVALID_ARGUMENT', 'clienttoken'],
  ['wait that is no boolean', (s) => create(s, { size: MiB }, { wait: 'yes' }), 'INVALID_ARGUMENT', 'wait'],
  ['an empty token', (s) => create(s, { size: MiB }, { clientToken: '' }), 'INVALID_ARGUMENT', 'clientToken'],
  ['a token of 256 bytes', (s) => create(s, { size: MiB }, { clientToken: 'x'.repeat(256) }), 'INVALID_ARGUMENT', 'clientToken'],
  ['a token with a line break', (s) => create(s, { size: MiB }, { clientToken: 'a\nb' }), 'INVALID_ARGUMENT', 'clientToken'],
  ['a token that is a number', (s) => create(s, { size: MiB }, { clientToken: 5 }), 'INVALID_ARGUMENT', 'clientToken'],
  ['a token that is null', (s) => create(s, { size: MiB }, { clientToken: null }), 'INVALID_ARGUMENT', 'clientToken'],
  ['another ifBusy', (s) => create(s, { size: MiB }, { ifBusy: 'ignore' }), 'INVALID_ARGUMENT', 'ifBusy'],
  ['a deadline of 0', (s) => create(s, { size: MiB }, { deadlineMs: 0 }), 'OUT_OF_RANGE', 'deadlineMs'],
  ['a deadline in the past', (s) => create(s, { size: MiB }, { deadlineMs: -5 }), 'OUT_OF_RANGE', 'deadlineMs'],
  ['a deadline that is no whole number', (s) => create(s, { size: MiB }, { deadlineMs: 1.5 }), 'OUT_OF_RANGE', 'deadlineMs'],
  ['a deadline beyond all time', (s) => create(s, { size: MiB }, { deadlineMs: 2 ** 53 - 1 }), 'OUT_OF_RANGE', 'deadlineMs'],
  ['a deadline that is a text', (s) => create(s, { size: MiB }, { deadlineMs: '5' }), 'INVALID_ARGUMENT', 'deadlineMs'],
  ['a signal that is none', (s) => create(s, { size: MiB }, { signal: {} }), 'INVALID_ARGUMENT', 'signal'],
  ['onProgress that is none', (s) => create(s, { size: MiB }, { onProgress: 5 }), 'INVALID_ARGUMENT', 'onProgress'],
  ['onOperation that is none', (s) => create(s, { size: MiB }, { onOperation: 'x' }), 'INVALID_ARGUMENT', 'onOperation'],
  ['options that are a text', (s) => create(s, { size: MiB }, 'wait'), 'INVALID_ARGUMENT', 'options'],
]);

const remove = ({ store }: Scene, request: unknown) => store.deleteVolume(untyped(request));
test(refused, 'deleteVolume', [
  ...everyRequest(remove),
  ...everyVolumeId((s, volumeId) => remove(s, { volumeId })),
  ['a misspelt field', (s) => remove(s, { volumeID: s.volumeId }), 'INVALID_ARGUMENT', 'volumeID'],
  ['a field that there is not', (s) => remove(s, { volumeId: s.volumeId, force: true }), 'INVALID_ARGUMENT', 'force'],
  ['an attached volume', (s) => remove(s, { volumeId: s.attachedId }), 'FAILED_PRECONDITION', null],
]);

const extend = ({ store }: Scene, request: unknown) => store.extendVolume(untyped(request));
test(refused, 'extendVolume', [
  ...everyRequest(extend),
  ...everyVolumeId((s, volumeId) => extend(s, { volumeId, size: 2 * MiB })),
  ['a size of 0', (s) => extend(s, { volumeId: s.volumeId, size: 0 }), 'OUT_OF_RANGE', 'size'],
  ['no size', (s) => extend(s, { volumeId: s.volumeId }), 'INVALID_ARGUMENT', 'size'],
  ['a size in parsecs', (s) => extend(s, { volumeId: s.volumeId, size: '5 parsecs' }), 'INVALID_ARGUMENT', 'size'],
  ['a smaller size', (s) => extend(s, { volumeId: s.volumeId, size: MiB / 2 }), 'OUT_OF_RANGE', 'size'],
  ['a smaller size, attached', (s) => extend(s, { volumeId: s.attachedId, size: 1 }), 'OUT_OF_RANGE', 'size'],
  ['a size that rounding makes too large', (s) => extend(s, { volumeId: s.volumeId, size: 2 ** 53 - 1 }), 'OUT_OF_RANGE', 'size'],
  ['a misspelt field', (s) => extend(s, { volumeId: s.volumeId, newSize: 2 * MiB }), 'INVALID_ARGUMENT', 'newSize'],
]);

const snap = ({ store }: Scene, request: unknown) => store.createSnapshot(untyped(request));
test(refused, 'createSnapshot', [
  ...everyRequest(snap),
  ...everyVolumeId((s, volumeId) => snap(s, { volumeId })),
  ['a comment of 10 MB', (s) => snap(s, { volumeId: s.volumeId, comment: megabytes }), 'INVALID_ARGUMENT', 'comment'],
  ['a comment with an escape', (s) => snap(s, { volumeId: s.volumeId, comment: '\u001b[2J' }), 'INVALID_ARGUMENT', 'comment'],
  ['a misspelt field', (s) => snap(s, { volumeId: s.volumeId, coment: 'x' }), 'INVALID_ARGUMENT', 'coment'],
]);

const dropSnapshot = ({ store }: Scene, request: unknown) => store.deleteSnapshot(untyped(request));
test(refused, 'deleteSnapshot', [
  ...everyRequest(dropSnapshot),
  ['no id', (s) => dropSnapshot(s, {}), 'INVALID_ARGUMENT', 'snapshotId'],
  ['a volume id', (s) => dropSnapshot(s, { snapshotId: s.volumeId }), 'INVALID_ARGUMENT', 'snapshotId'],
  ['a path', (s) => dropSnapshot(s, { snapshotId: 'snap-../../../../etc/' }), 'INVALID_ARGUMENT', 'snapshotId'],
  ['an unknown id', (s) => dropSnapshot(s, { snapshotId: noSnapshot }), 'NOT_FOUND', null],
  ['a misspelt field', (s) => dropSnapshot(s, { id: s.snapshotId }), 'INVALID_ARGUMENT', 'id'],
]);

const attach = ({ store }: Scene, request: unknown) => store.attachVolume(untyped(request));
const place = { vmmHost, vmId: 'vm2', device: 'xvdc' };
test(refused, 'attachVolume', [
  ...everyRequest(attach),
  ...everyVolumeId((s, volumeId) => attach(s, { ...place, volumeId })),
  ...['xvd c', 'xv/dc', '/dev/../xvdc', '..', '', '-xvdc', 'x'.repeat(65), megabytes, 'xvdc\n', 'xvdc\u200f', null, undefined, 5, {}].map(
    (device, index): Row => [`device ${index}`, (s) => attach(s, { ...place, volumeId: s.volumeId, device }), 'INVALID_ARGUMENT', 'device'],
  ),
  ['a device that no sandbox has', (s) => attach(s, { ...place, volumeId: s.volumeId, device: 'sda' }), 'INVALID_ARGUMENT', 'device'],
  ['the disk that the VM starts from', (s) => attach(s, { ...place, volumeId: s.volumeId, device: 'xvda' }), 'INVALID_ARGUMENT', 'device'],
  [
    'a device that is taken',
    (s) => attach(s, { vmmHost, vmId: 'vm1', device: 'xvdb', volumeId: s.volumeId }),
    'FAILED_PRECONDITION',
    'device',
  ],
  ['a volume that is attached', (s) => attach(s, { ...place, volumeId: s.attachedId }), 'FAILED_PRECONDITION', null],
  ['an unknown VMM host', (s) => attach(s, { ...place, volumeId: s.volumeId, vmmHost: 'nowhere' }), 'NOT_FOUND', 'vmmHost'],
  ['a VMM host of the prototype', (s) => attach(s, { ...place, volumeId: s.volumeId, vmmHost: 'constructor' }), 'NOT_FOUND', 'vmmHost'],
  ['a VMM host with a slash', (s) => attach(s, { ...place, volumeId: s.volumeId, vmmHost: 'a/b' }), 'INVALID_ARGUMENT', 'vmmHost'],
  ['no VMM host', (s) => attach(s, { ...place, volumeId: s.volumeId, vmmHost: undefined }), 'INVALID_ARGUMENT', 'vmmHost'],
  ['an unknown VM', (s) => attach(s, { ...place, volumeId: s.volumeId, vmId: 'vm3' }), 'NOT_FOUND', 'vmId'],
  ['a VM of the prototype', (s) => attach(s, { ...place, volumeId: s.volumeId, vmId: 'constructor' }), 'NOT_FOUND', 'vmId'],
  ['a VM with a path', (s) => attach(s, { ...place, volumeId: s.volumeId, vmId: '../vm1' }), 'INVALID_ARGUMENT', 'vmId'],
  ['a VM that is a number', (s) => attach(s, { ...place, volumeId: s.volumeId, vmId: 1 }), 'INVALID_ARGUMENT', 'vmId'],
  ['another access', (s) => attach(s, { ...place, volumeId: s.volumeId, access: 'rw' }), 'INVALID_ARGUMENT', 'access'],
  ['access null', (s) => attach(s, { ...place, volumeId: s.volumeId, access: null }), 'INVALID_ARGUMENT', 'access'],
  [
    'an instance without a resolver',
    (s) => attach(s, { volumeId: s.volumeId, device: 'xvdc', instanceId: 'i-1' }),
    'FAILED_PRECONDITION',
    'instanceId',
  ],
  ['an instance and a host', (s) => attach(s, { ...place, volumeId: s.volumeId, instanceId: 'i-1' }), 'INVALID_ARGUMENT', 'instanceId'],
  ['an instance that is null', (s) => attach(s, { ...place, volumeId: s.volumeId, instanceId: null }), 'INVALID_ARGUMENT', 'instanceId'],
  ['a misspelt field', (s) => attach(s, { ...place, volumeId: s.volumeId, readOnly: true }), 'INVALID_ARGUMENT', 'readOnly'],
]);

const detach = ({ store }: Scene, request: unknown) => store.detachVolume(untyped(request));
test(refused, 'detachVolume', [
  ...everyRequest(detach),
  ...everyVolumeId((s, volumeId) => detach(s, { volumeId })),
  ...everyVolumeId((s, volumeId) => detach(s, { volumeId, force: true })),
  ['a volume that is not attached', (s) => detach(s, { volumeId: s.volumeId }), 'FAILED_PRECONDITION', null],
  ['an unknown attachment', (s) => detach(s, { volumeId: s.attachedId, attachmentId: noAttachment }), 'NOT_FOUND', 'attachmentId'],
  [
    'the attachment of another volume',
    (s) => detach(s, { volumeId: s.volumeId, attachmentId: s.attachmentId }),
    'NOT_FOUND',
    'attachmentId',
  ],
  [
    'a volume id for an attachment',
    (s) => detach(s, { volumeId: s.attachedId, attachmentId: s.attachedId }),
    'INVALID_ARGUMENT',
    'attachmentId',
  ],
  ['force that is a text', (s) => detach(s, { volumeId: s.attachedId, force: 'true' }), 'INVALID_ARGUMENT', 'force'],
  ['nodeIsDead without force', (s) => detach(s, { volumeId: s.attachedId, nodeIsDead: true }), 'INVALID_ARGUMENT', 'nodeIsDead'],
  [
    'nodeIsDead that is a text',
    (s) => detach(s, { volumeId: s.attachedId, force: true, nodeIsDead: 'yes' }),
    'INVALID_ARGUMENT',
    'nodeIsDead',
  ],
  ['a misspelt field', (s) => detach(s, { volumeId: s.attachedId, forced: true }), 'INVALID_ARGUMENT', 'forced'],
]);

const describe = ({ store }: Scene, request: unknown) => store.describeVolumes(untyped(request));
test(refused, 'describeVolumes', [
  ...everyRequest(describe).filter(([name]) => name !== 'undefined'),
  ['ids that are a text', (s) => describe(s, { ids: s.volumeId }), 'INVALID_ARGUMENT', 'ids'],
  ['ids that are null', (s) => describe(s, { ids: null }), 'INVALID_ARGUMENT', 'ids'],
  ['an id of another kind', (s) => describe(s, { ids: [s.volumeId, s.snapshotId] }), 'INVALID_ARGUMENT', 'ids[1]'],
  ['1,001 ids', (s) => describe(s, { ids: Array.from({ length: 1001 }, () => s.volumeId) }), 'OUT_OF_RANGE', 'ids'],
  ['an unknown id', (s) => describe(s, { ids: [s.volumeId, noVolume] }), 'NOT_FOUND', 'ids'],
  [
    '1,000 unknown ids',
    (s) => describe(s, { ids: Array.from({ length: 1000 }, (_, n) => `vol-${String(n).padStart(17, '0')}`) }),
    'NOT_FOUND',
    'ids',
  ],
  ['a state that there is not', (s) => describe(s, { state: 'gone' }), 'INVALID_ARGUMENT', 'state'],
  ['a state that is a number', (s) => describe(s, { state: 5 }), 'INVALID_ARGUMENT', 'state'],
  ['a state of the prototype', (s) => describe(s, { state: 'toString' }), 'INVALID_ARGUMENT', 'state'],
  ['a limit of 0', (s) => describe(s, { limit: 0 }), 'OUT_OF_RANGE', 'limit'],
  ['a limit of 1,001', (s) => describe(s, { limit: 1001 }), 'OUT_OF_RANGE', 'limit'],
  ['a limit of 1.5', (s) => describe(s, { limit: 1.5 }), 'OUT_OF_RANGE', 'limit'],
  ['a limit that is a text', (s) => describe(s, { limit: '10' }), 'INVALID_ARGUMENT', 'limit'],
  ['a limit that is NaN', (s) => describe(s, { limit: Number.NaN }), 'OUT_OF_RANGE', 'limit'],
  ['a cursor that is none', (s) => describe(s, { cursor: 'next' }), 'INVALID_ARGUMENT', 'cursor'],
  ['an empty cursor', (s) => describe(s, { cursor: '' }), 'INVALID_ARGUMENT', 'cursor'],
  ['a cursor that is null', (s) => describe(s, { cursor: null }), 'INVALID_ARGUMENT', 'cursor'],
  ['a cursor that is a number', (s) => describe(s, { cursor: 5 }), 'INVALID_ARGUMENT', 'cursor'],
  ['a cursor of 10 MB', (s) => describe(s, { cursor: megabytes }), 'INVALID_ARGUMENT', 'cursor'],
  ['a misspelt field', (s) => describe(s, { volumeIds: [s.volumeId] }), 'INVALID_ARGUMENT', 'volumeIds'],
]);

const ofVolume = ({ store }: Scene, request: unknown) => store.describeAttachments(untyped(request));
const ofResource = ({ store }: Scene, request: unknown) => store.describeOperations(untyped(request));
const bySnapshot = ({ store }: Scene, request: unknown) => store.describeSnapshots(untyped(request));
test(refused, 'the other describes', [
  ...everyRequest(ofVolume).filter(([name]) => name !== 'undefined'),
  ...everyRequest(ofResource).filter(([name]) => name !== 'undefined'),
  ...everyRequest(bySnapshot).filter(([name]) => name !== 'undefined'),
  ['attachments of a snapshot', (s) => ofVolume(s, { volumeId: s.snapshotId }), 'INVALID_ARGUMENT', 'volumeId'],
  ['attachments of null', (s) => ofVolume(s, { volumeId: null }), 'INVALID_ARGUMENT', 'volumeId'],
  ['an unknown attachment', (s) => ofVolume(s, { ids: [noAttachment] }), 'NOT_FOUND', 'ids'],
  ['operations of a number', (s) => ofResource(s, { resourceId: 5 }), 'INVALID_ARGUMENT', 'resourceId'],
  ['operations of null', (s) => ofResource(s, { resourceId: null }), 'INVALID_ARGUMENT', 'resourceId'],
  ['operations of an object', (s) => ofResource(s, { resourceId: { a: 1 } }), 'INVALID_ARGUMENT', 'resourceId'],
  ['operations of 10 MB', (s) => ofResource(s, { resourceId: megabytes }), 'INVALID_ARGUMENT', 'resourceId'],
  ['a state of a volume', (s) => ofResource(s, { state: 'in-use' }), 'INVALID_ARGUMENT', 'state'],
  ['an unknown snapshot', (s) => bySnapshot(s, { ids: [noSnapshot] }), 'NOT_FOUND', 'ids'],
]);

test(refused, 'what operators ask', [
  ...(['describeJournal', 'waitForOperation', 'retryOperation', 'abandonOperation', 'cancelOperation'] as const).flatMap(
    (method): Row[] => [
      [`${method} of a volume`, (s) => s.store[method](s.volumeId), 'INVALID_ARGUMENT', 'operationId'],
      [`${method} of nothing`, (s) => s.store[method](untyped(undefined)), 'INVALID_ARGUMENT', 'operationId'],
      [`${method} of an unknown operation`, (s) => s.store[method](noOperation), 'NOT_FOUND', null],
    ],
  ),
  ['resetState of a volume that is available', (s) => s.store.resetState({ volumeId: s.volumeId }), 'FAILED_PRECONDITION', null],
  ['resetState of null', (s) => s.store.resetState(untyped(null)), 'INVALID_ARGUMENT', 'request'],
  [
    'events after a text',
    (s) =>
      s.store
        .events({ after: untyped('x') })
        [Symbol.asyncIterator]()
        .next(),
    'INVALID_ARGUMENT',
    'after',
  ],
  ['events after -1', (s) => s.store.events({ after: -1 })[Symbol.asyncIterator]().next(), 'OUT_OF_RANGE', 'after'],
]);
