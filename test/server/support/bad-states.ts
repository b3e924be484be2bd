import { usedKey } from './bad-place.js';
import { type BadRequest, bodyTo, failedPrecondition } from './bad-request.js';

const refused = { ...failedPrecondition, field: null } as const;
const keyed = (what: string, path: string, body: unknown): BadRequest => ({
  what,
  method: 'POST',
  path,
  body,
  headers: [['Idempotency-Key', usedKey]],
  status: 409,
  code: 'ALREADY_EXISTS',
  field: 'Idempotency-Key',
});

/** What a resource, as it stands, does not allow. */
export const badStates: readonly BadRequest[] = [
  { what: 'a deletion of what is attached', method: 'DELETE', path: '/v1/volumes/{attached}', ...refused },
  { what: 'a detach of what is not attached', method: 'POST', path: '/v1/volumes/{volume}/detach', ...refused },
  { what: 'a reset of what is available', method: 'POST', path: '/v1/volumes/{volume}/reset-state', ...refused },
  { what: 'a reset of what is in use', method: 'POST', path: '/v1/volumes/{attached}/reset-state', ...refused },
  { what: 'an abandonment of what has ended', method: 'POST', path: '/v1/operations/{operation}/abandon', ...refused },
  bodyTo('/v1/volumes/{attached}/attachments')(
    'a second attach',
    { vmmHost: 'sandbox', vmId: 'vm2', device: 'xvdc' },
    null,
    failedPrecondition,
  ),
  bodyTo('/v1/volumes/{volume}/attachments')(
    'an attach to a slot that is taken',
    { vmmHost: 'sandbox', vmId: 'vm1', device: '/dev/xvdb' },
    'device',
    failedPrecondition,
  ),
  bodyTo('/v1/volumes/{volume}/attachments')(
    'an attach by an instance to a slot that is taken',
    { instanceId: 'i-1', device: '51728' },
    'device',
    failedPrecondition,
  ),
  bodyTo('/v1/reconcile')('a deletion as an orphan of what is known', { delete: '{volume}' }, 'delete', failedPrecondition),
  bodyTo('/v1/reconcile')('an adoption of what is known', { adopt: '{volume}' }, 'adopt', failedPrecondition),
  keyed('a used key with another size', '/v1/volumes', { size: '5MiB' }),
  keyed('a used key with another field', '/v1/volumes', { size: 4_194_304, comment: 'x' }),
];
