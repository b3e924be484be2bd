import { shell } from './shell.js';

/**
 * The guard (safety B1): `<name>.lock` bears the lock, `<name>.epoch` the highest epoch, synced since an overtaken process of another
 * machine may outlive this one's boot, `<name>.tool` the tool that runs (boot, token, pid, start time), which a boot ends.
 */
export const remoteGuard = shell`
v_lower() {
  seen=0 whole=end
  if [ -e "$E" ]; then
    seen= whole=
    read -r seen whole 2>/dev/null <"$E"
    case $seen in '' | *[!0-9]*) whole= ;; esac
  fi
  if [ "$whole" != end ]; then
    [ -n "$REPAIR" ] || v_end damaged
    seen=0
  fi
  [ "$seen" -le "$EPOCH" ] || v_end lower "$seen"
}
v_left() {
  pids= b= k= p= s0=
  [ -s "$T" ] && read -r b k p s0 <"$T" && [ "$b" = "$BOOT" ] || return 1
  if [ "$p" != - ] && v_alive "$p" "$s0"; then
    pids=$p
    return 0
  fi
  for f in $(v_marked "VBS_GUARD=$k"); do
    f=$\{f#/proc/}
    f=$\{f%/environ}
    if v_stat "$f" && { [ "$p" = - ] || [ "$st_group" = "$p" ]; }; then pids="$pids $f"; fi
  done
  [ -n "$pids" ]
}
v_given_up() {
  [ -z "$stop$lost" ] || v_end given-up
  [ "$WAIT" -gt 0 ] || { v_left; v_end busy $pids; }
  WAIT=$((WAIT - 1))
}
v_hold() {
  L=$D/guards/$R.lock E=$D/guards/$R.epoch T=$D/guards/$R.tool
  if ! [ -f "$L" ]; then
    [ -d "$D/guards" ] && [ -d "$D/processes" ] ||
      e=$(umask 077; mkdir -p "$D/guards" "$D/processes" 2>&1 && sync "$D" 2>&1) || v_end state "$e"
    e=$(umask 077; { true >>"$L"; } 2>&1) || v_end state "$e"
  fi
  v_lower
  while :; do
    { true 9>>"$L"; } 2>/dev/null || v_end state "$L: Permission denied"
    exec 9>>"$L"
    flock -n 9
    case $? in
    0) [ "$L" -ef /proc/self/fd/9 ] && break ;;
    1) flock -w 0.05 9 && [ "$L" -ef /proc/self/fd/9 ] && break ;;
    *) v_end lock ;;
    esac
    v_given_up
  done
  v_lower
  while v_left; do
    v_given_up
    sleep 0.05
  done
  [ -z "$stop$lost" ] || v_end given-up
  if [ "$seen" != "$EPOCH" ] || [ -n "$REPAIR" ] || ! [ -e "$E" ]; then
    e=$(umask 077; v_put "$E.new" "$EPOCH end" 2>&1 && sync "$E.new" 2>&1 && mv -f "$E.new" "$E" 2>&1 && sync "$D/guards" 2>&1) ||
      v_end state "$e"
  fi
}
v_release() {
  [ -n "$R" ] || return 0
  true >"$T"
  # What holds the lock too would keep it; without such, it is free when it is closed.
  [ -z "$locked" ] || flock -u 9
}
v_settle() {
  REPAIR=1
  v_hold
  v_release
  v_end done
}
`;
