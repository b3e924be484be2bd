/** What a guest is: a Linux with the tools of volume servers and VMM nodes, or a Xen host: the hypervisor, its Dom0 and DomUs. */
export const guestKinds = ['storage', 'xen'] as const;

/** What a guest is for, which decides its image. */
export type GuestKind = (typeof guestKinds)[number];
