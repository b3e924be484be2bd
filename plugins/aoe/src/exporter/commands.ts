/**
 * The commands of the exporter. Those that start a vblade must end up as that vblade in the same process (as `ip netns exec` does, and
 * `sudo` does not), since it is found and ended by its process id, and what it exports is read from its command line.
 */
export const exporterCommands = {
  startBlade: 'vblade -b <buffers> -<flags> -l <sectors> -m <masks> <shelf> <slot> <interface> <path>',
  startOpenBlade: 'vblade -b <buffers> -<flags> -l <sectors> <shelf> <slot> <interface> <path>',
  startUnsyncedBlade: 'vblade -b <buffers> -l <sectors> -m <masks> <shelf> <slot> <interface> <path>',
  startOpenUnsyncedBlade: 'vblade -b <buffers> -l <sectors> <shelf> <slot> <interface> <path>',
  listBlades: 'ps -C vblade -ww -o pid=,args=',
  sizeOfDevice: 'blockdev --getsize64 <path>',
  sizeOfFile: 'stat --dereference --format=%s <path>',
  showUsage: 'vblade',
  showInterface: 'cat /sys/class/net/<interface>/operstate',
  makeFolder: 'mkdir -p -m 700 <path>',
  removeFile: 'rm -f <path>',
} as const;
