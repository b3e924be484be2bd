const targetId = { type: 'integer', minimum: 1, maximum: 2_147_483_647 } as const;

/** Schemas of what the configuration of every iSCSI exporter has; spread them, and add `description` and `default`. */
export const iscsiSchemas = {
  /** `host:port`, an IPv6 address in brackets. */
  portal: { type: 'string', pattern: '^(\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$' },
  /** What target names begin with (RFC 3720, section 3.2.6.3.1); short enough for `IscsiNames` to stay within 223 bytes. */
  iqnPrefix: {
    type: 'string',
    pattern: '^iqn\\.[0-9]{4}-(0[1-9]|1[0-2])\\.[a-z0-9][a-z0-9.-]*(:[a-z0-9][a-z0-9.:-]*)?$',
    maxLength: 180,
  },
  /** The range of target ids, `TargetIds`. */
  targetIds: {
    type: 'object',
    additionalProperties: false,
    required: ['first', 'last'],
    properties: { first: targetId, last: targetId },
  },
} as const;
