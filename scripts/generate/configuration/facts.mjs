/**
 * What schemas do not tell of a key: an example, a default that the core works out, a description that fits its one use. By schema (its file, and the definition in
 * it), then by the key's path. A new key brings `examples` in its schema rather than a line here.
 */
export const facts = {
  'schemas/configuration.schema.json': {
    version: { default: '`1`' },
    database: {
      default: '`{ client: sqlite3, filename: vbs.sqlite }`',
      example: { client: 'sqlite3', filename: '/var/lib/vbs/vbs.sqlite' },
    },
    stateDirectory: { default: 'the folder of the SQLite file', example: '/var/lib/vbs' },
    masterKey: { default: 'drawn into `master.key` of the state directory when it is first needed' },
    'masterKey.env': { example: 'VBS_MASTER_KEY' },
    'masterKey.file': { example: '/etc/vbs/master.key' },
    plugins: { default: 'none', example: ['@vbs/plugin-file', './my-plugin/index.js'] },
    volumeServers: { default: 'none', example: { vs1: { backends: { files: { plugin: 'file', directory: '/srv/vbs' } } } } },
    vmmNodes: { default: 'none', example: { node1: { hypervisor: { plugin: 'sandbox', vms: { vm1: {} } } } } },
    resolvers: { default: 'none', example: { lab: { plugin: 'sandbox', instances: {} } } },
  },
  'schemas/configuration.schema.json#sqliteDatabase': {
    filename: { example: '/var/lib/vbs/vbs.sqlite' },
  },
  'schemas/configuration.schema.json#postgresDatabase': {
    connection: { example: { file: '/etc/vbs/database-url' } },
    'connection.env': { example: 'VBS_DATABASE' },
    'connection.file': { example: '/etc/vbs/database-url' },
  },
  'schemas/configuration.schema.json#volumeServer': {
    machine: { default: '`local`', example: { ssh: { host: 'vs1' } } },
    backends: { default: 'none', example: { files: { plugin: 'file', directory: '/srv/vbs' } } },
    exporters: { default: 'none', example: { nbd: { plugin: 'nbd', port: 10809 } } },
  },
  'schemas/configuration.schema.json#vmmNode': {
    machine: { default: '`local`', example: { ssh: { host: 'node1' } } },
    hostnames: { default: 'none', example: ['node1.example.org'] },
    initiators: { default: 'none', example: { iscsi: { plugin: 'iscsi' } } },
    hypervisor: { description: "What runs the node's virtual machines.", example: { plugin: 'sandbox', vms: { vm1: {} } } },
  },
  'schemas/configuration.schema.json#machine': {
    ssh: { example: { host: 'vs1' } },
    'ssh.host': { example: 'admin@vs1' },
  },
  'schemas/configuration.schema.json#instance': {
    plugin: { example: 'file' },
    default: { default: '`false`' },
    openNetwork: { default: '`false`' },
    commands: { default: "the plugin's own", example: { attach: 'sudo -n xl block-attach <vmId> phy:<vmmDev> <vmDev> <mode>' } },
    timeLimits: { default: "[the core's own](#time-limits)", example: { createVolume: 300000 } },
  },
  'schemas/configuration.schema.json#commandOverride': {
    pattern: { example: 'sudo -n xm block-attach <vmId> phy:<vmmDev> <vmDev>' },
    withdraws: { default: 'none', example: ['read-only'] },
  },
  'plugins/nbd/config.schema.json': {
    socket: { example: '/run/vbs/nbd.sock' },
    'tls.certificate': { example: '/etc/vbs/server.pem' },
    'tls.key': { example: '/etc/vbs/server-key.pem' },
    'tls.clientAuthority': { example: '/etc/vbs/clients-ca.pem' },
  },
  'plugins/sandbox/config.schema.json': {
    vms: { example: { vm1: {}, vm2: { slots: 4 } } },
    'tls.authority': { example: '/etc/vbs/ca.pem' },
    'tls.certificate': { example: '/etc/vbs/client.pem' },
    'tls.key': { example: '/etc/vbs/client-key.pem' },
    'tls.serverName': { example: 'vs1.example.org' },
  },
  'plugins/sandbox/resolver.schema.json': {
    instances: { example: { 'i-0001': { vmmHost: 'node1', vmId: 'vm1' } } },
    'instances.NAME.vmmHost': { example: 'node1' },
    'instances.NAME.vmId': { example: 'vm1' },
  },
  'plugins/tgt/config.schema.json': {
    portal: { example: '10.0.0.5:3260' },
    socket: { default: 'in `directory`', example: '/run/tgtd/socket' },
    directory: { default: "a folder of the state directory of tgtd's machine", example: '/var/lib/vbs-tgt' },
    tids: { default: '4,096 that follow from the store and the instance', example: { first: 1, last: 4096 } },
    'tids.first': { description: 'The first one.', example: 1 },
    'tids.last': { description: 'The last one.', example: 4096 },
  },
  'plugins/lvm-iet/backend.schema.json': {
    volumeGroup: { example: 'vg0' },
    thinPool: { default: 'none: thick volumes', example: 'pool' },
    physicalVolumes: { default: 'as lvm.conf says', example: ['/dev/disk/by-id/wwn-0x5000c500a1b2c3d4'] },
  },
  'plugins/lvm-iet/exporter.schema.json': {
    portal: { example: '10.0.0.5:3260' },
    tids: { default: '4,096 that follow from the store and the instance', example: { first: 1, last: 4096 } },
    'tids.first': { description: 'The first one.', example: 1 },
    'tids.last': { description: 'The last one.', example: 4096 },
  },
  'plugins/aoe/exporter.schema.json': {
    interface: { example: 'eth1' },
    shelves: { default: '16 that follow from the store and the segment', example: { first: 100, last: 115 } },
    'shelves.first': { example: 100 },
    'shelves.last': { example: 115 },
    directory: { default: "a folder of the state directory of vblade's machine", example: '/var/lib/vbs-aoe' },
  },
  'plugins/aoe/initiator.schema.json': {
    interfaces: { example: ['eth1'] },
    minimumMtu: { example: 9000 },
  },
};
