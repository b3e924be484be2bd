/**
 * The commands of this plugin. `<vmId>` is a VM's UUID (in `dumpVm` what the user wrote), `<script>` several read-only commands of virsh in
 * one argument, `<alias>` and `<secret>` names of VBS's own. XML and secrets are files: virsh cannot open the socket that its input may be.
 */
export const commands = {
  look: 'virsh -q -c <uri> <script>',
  dumpVm: 'virsh -q -c <uri> dumpxml <vmId>',
  readSize: 'virsh -q -c <uri> domblkinfo <vmId> <target>',
  attach: 'virsh -q -c <uri> attach-device <vmId> <file> --live --config',
  attachLive: 'virsh -q -c <uri> attach-device <vmId> <file> --live',
  attachConfig: 'virsh -q -c <uri> attach-device <vmId> <file> --config',
  detach: 'virsh -q -c <uri> detach-device-alias <vmId> <alias> --live --config',
  detachLive: 'virsh -q -c <uri> detach-device-alias <vmId> <alias> --live',
  detachConfig: 'virsh -q -c <uri> detach-device-alias <vmId> <alias> --config',
  detachConfigTarget: 'virsh -q -c <uri> detach-disk <vmId> <target> --config',
  resize: 'virsh -q -c <uri> blockresize <vmId> <target> <sizeBytes>B',
  defineSecret: 'virsh -q -c <uri> secret-define <file>',
  setSecret: 'virsh -q -c <uri> secret-set-value <secret> --file <file>',
  removeSecret: 'virsh -q -c <uri> secret-undefine <secret>',
  makeFolder: 'mkdir -p -m 700 <path>',
  removeFile: 'rm -f <path>',
} as const;
