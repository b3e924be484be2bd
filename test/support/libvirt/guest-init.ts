/**
 * The first program of a guest, for busybox: loads what `/modules` holds and does what it is told over its virtio port, a line for a line.
 * A disk is told by its serial number, since a guest's names for its disks are its own.
 */
export const guestInit = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod "$module"; done
echo 0 >/proc/sys/kernel/printk
until ls /dev/vport*p* >/dev/null 2>&1; do sleep 0.05; done
exec 3<>"$(ls /dev/vport*p* | head -n 1)"

serial_of() {
  if [ -e "$1/serial" ]; then cat "$1/serial"; elif [ -e "$1/device/vpd_pg80" ]; then tail -c +5 "$1/device/vpd_pg80"; fi
}
find_disk() {
  for block in /sys/block/*; do
    if [ "$(serial_of "$block")" = "$1" ]; then echo "\${block##*/}"; return; fi
  done
}

echo ready >&3
while :; do
  while read -r verb serial block place count data <&3; do
    disk=
    if [ "$serial" != - ]; then
      disk=$(find_disk "$serial")
      if [ -z "$disk" ]; then echo none >&3; continue; fi
    fi
    case $verb in
      size) echo "ok $(cat "/sys/block/$disk/size")" >&3 ;;
      read)
        if dd if="/dev/$disk" of=/piece bs="$block" skip="$place" count="$count" iflag=direct 2>/error
        then { printf 'ok '; base64 -w 0 /piece; echo; } >&3
        else echo "error $(tail -n 1 /error)" >&3
        fi ;;
      write)
        if echo "$data" | base64 -d >/piece && dd if=/piece of="/dev/$disk" bs="$block" seek="$place" oflag=direct conv=notrunc,fsync 2>/error
        then echo ok >&3
        else echo "error $(tail -n 1 /error)" >&3
        fi ;;
      # Takes no notice of what is plugged in or out, until it does again: PCI hot-plug is the event 1 of QEMU's ACPI.
      hold) echo mask >/sys/firmware/acpi/interrupts/gpe01; echo ok >&3 ;;
      let-go) echo unmask >/sys/firmware/acpi/interrupts/gpe01; echo ok >&3 ;;
      rescan) echo 1 >"/sys/block/$disk/device/rescan"; echo ok >&3 ;;
      poweroff) echo ok >&3; poweroff -f ;;
      *) echo "error no verb $verb" >&3 ;;
    esac
  done
  sleep 0.1
done
`;
