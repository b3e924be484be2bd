import { shell } from './shell.js';

/**
 * The control channel is what is left of standard input: `c` ends the command, `r` says that it is ready, and its end that nobody asks any
 * more. A command under a guard then goes on until its limit, as on the machine of this process (safety B1), unless it has not begun.
 */
export const remoteWatch = shell`
v_watch() {
  trap stop=1 TERM
  trap lost=1 USR1
  trap isready=1 USR2
  (
    exec 8>&-
    trap - TERM USR1 USR2
    letter=$(timeout "$LIMIT" head -c 1 <&7)
    case $letter$? in
    r*) kill -USR2 $$; exit ;;
    0)
      if [ -n "$R" ]; then
        kill -USR1 $$
        n=0
        while [ "$n" -lt "$LIMIT" ] && kill -0 $$; do
          sleep 1
          n=$((n + 1))
        done
      fi
      ;;
    esac
    while kill -TERM $$; do sleep 0.2; done
  ) >/dev/null 2>&1 &
  watch=$!
}
`;

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
    e=$(umask 077; mkdir -p "$D/guards" "$D/processes" 2>&1 && { true >>"$L"; } 2>&1 && sync "$D/guards" "$D" 2>&1) || v_end state "$e"
  fi
  v_lower
  while :; do
    { true 9>>"$L"; } 2>/dev/null || v_end state "$L: Permission denied"
    exec 9>>"$L"
    flock -n 9
    case $? in
    0) [ "$L" -ef "/proc/$$/fd/9" ] && break ;;
    1) flock -w 0.05 9 && [ "$L" -ef "/proc/$$/fd/9" ] && break ;;
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
  [ -z "$R" ] || { true >"$T"; flock -u 9; }
}
v_settle() {
  REPAIR=1
  v_watch
  v_hold
  v_release
  v_end done
}
`;
