/** The commands of this plugin. `env` hands tgtadm the socket of the one tgtd that is meant; there is no option for it. */
export const commands = {
  listTargets: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op show --mode target',
  listPortals: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op show --mode portal',
  readStatistics: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op stat --mode logicalunit --tid <tid> --lun <lun>',
  createTarget: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op new --mode target --tid <tid> --targetname <iqn>',
  deleteTarget: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op delete --mode target --tid <tid>',
  setTargetState:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op update --mode target --tid <tid> --name state --value <state>',
  createAccount: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op new --mode account --user <user> --password <password>',
  bindAccount: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op bind --mode account --tid <tid> --user <user>',
  deleteAccount: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op delete --mode account --user <user>',
  createLun:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op new --mode logicalunit --tid <tid> --lun <lun> --bstype rdwr --backing-store <path>',
  createLunWithFlags:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op new --mode logicalunit --tid <tid> --lun <lun> --bstype rdwr --bsoflags <flags> --backing-store <path>',
  identifyLun:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op update --mode logicalunit --tid <tid> --lun <lun> --params vendor_id=VBS,product_id=VBS-volume,scsi_sn=<serial>,scsi_id=<serial>,readonly=<readonly>',
  setLunOnline:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op update --mode logicalunit --tid <tid> --lun <lun> --params online=<online>',
  setLunPath:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op update --mode logicalunit --tid <tid> --lun <lun> --params path=<path>',
  admitInitiator:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op bind --mode target --tid <tid> --initiator-name <initiator>',
  expelInitiator:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op unbind --mode target --tid <tid> --initiator-name <initiator>',
  admitAddress:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op bind --mode target --tid <tid> --initiator-address <address>',
  expelAddress:
    'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op unbind --mode target --tid <tid> --initiator-address <address>',
  dropConnection: 'env TGT_IPC_SOCKET=<socket> tgtadm -C <control> --lld iscsi --op delete --mode conn --tid <tid> --sid <sid> --cid <cid>',
  startDaemon: 'env TGT_IPC_SOCKET=<socket> tgtd -f -C <control> -t <threads> --iscsi portal=<portal>',
  inspectVolume: 'stat --dereference --format=%f:%s:%t:%T <path>',
  makeFolder: 'mkdir -p -m 700 <path>',
  removeFile: 'rm -f <path>',
} as const;
