import type { GuestKind } from '../kinds.js';
import { domuNames } from './xen-host.js';

const everywhere = `
lvs && iscsiadm --version >/dev/null && aoe-stat >/dev/null 2>&1
for tool in stat tee mkdir env head tr sed grep flock setsid blkid mkfs.ext4 mount dd; do "$tool" --version >/dev/null 2>&1; done`;

/** Scripts that bring a guest's tools into its memory before its state is saved. A Xen host's first DomU runs from then on. */
export const warmUps: Readonly<Record<GuestKind, string>> = {
  storage: `${everywhere}
tgtadm --help >/dev/null; vblade 2>/dev/null
true`,
  xen: `${everywhere}
set -e
domu=${domuNames[0]}
xl create -q "/etc/xen/$domu.cfg"
tries=0
until echo true | /usr/lib/vbs-lab/domu-run "$domu" 2 >/dev/null; do
  tries=$((tries + 1))
  if [ "$tries" -gt 30 ]; then
    cat "/var/log/xen/console/guest-$domu.log" >&2
    exit 1
  fi
done
truncate -s 1M /tmp/warm-up
disk=$(losetup --find --show /tmp/warm-up)
xl block-attach "$domu" "phy:$disk" xvdz w
xl block-list "$domu" >/dev/null
echo 'dd if=/dev/xvdz of=/dev/null bs=4k count=1 2>/dev/null; base64 </dev/null' | /usr/lib/vbs-lab/domu-run "$domu" 10 >/dev/null
xl block-detach "$domu" xvdz
losetup -d "$disk"
rm /tmp/warm-up
xl list >/dev/null`,
};
