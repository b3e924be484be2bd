/** The commands of this plugin. The name stands for `vmId`: an id may name another VM by the time it is used. */
export const commands = {
  listVms: 'xl list',
  readStore: 'xenstore-ls -f /local/domain',
  attach: 'xl block-attach <vmId> phy:<vmmDev> <vmDev> <mode>',
  detach: 'xl block-detach <vmId> <vmDev>',
} as const;
