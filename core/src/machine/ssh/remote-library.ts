import { shell } from './shell.js';

/**
 * What the shell of the other machine is taught before its first command: POSIX sh (dash, bash, busybox), coreutils, grep, and flock and
 * setsid of util-linux. Nothing of it stays there but the state folder.
 *
 * Variables of a session: D the state folder, BOOT the boot id. Of a command: M its mark, R the guard's file name or nothing, EPOCH, K the
 * token of the tool, WAIT for the guard, GRACE between SIGTERM and SIGKILL (both in steps of 50 ms); HASINPUT, FORMAT and INPUT.
 * Descriptor 8 is the session's standard error, 9 the lock; for the others see v_session.
 */
export const remoteLibrary = shell`
case ":$PATH:" in *:/usr/sbin:*) ;; *) PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin ;; esac
export PATH
LVM_SUPPRESS_FD_WARNINGS=1
export LVM_SUPPRESS_FD_WARNINGS
unset VBS_GUARD VBS_PROCESS
cd /
stop= lost= isready= here= kept= locked=
R= EPOCH=0 K= REPAIR= WAIT=0 GRACE=40 HASINPUT=
nl='
'
exec 8>&2 2>/dev/null
v_end() {
  exec 9>&-
  set -f
  set -- $*
  [ -z "$kept" ] || printf '%s kept\n' "$M" >&8
  printf '%s end %s\n' "$M" "$*" >&8
  printf '%s end\n' "$M"
  exit 0
}
v_stat() {
  s=
  IFS= read -r s 2>/dev/null <"/proc/$1/stat" || [ -n "$s" ] || return 1
  v_fields $\{s##*) }
}
v_fields() {
  st_state=$1 st_parent=$2 st_group=$3 st_session=$4 st_threads=$\{18} st_start=$\{20}
}
v_dead() {
  [ "$st_state" = X ] || { [ "$st_state" = Z ] && [ "$st_threads" -le 1 ]; }
}
v_alive() {
  v_stat "$1" && [ "$st_start" = "$2" ] && ! v_dead
}
v_group() {
  if ! kill -s 0 -- "-$1" 2>/dev/null; then
    # Only others than root may not signal what is there; what they were told costs a subshell.
    [ "$root" != 1 ] || return 1
    case $(kill -s 0 -- "-$1" 2>&1) in *"o such process"*) return 1 ;; esac
  fi
  for d in /proc/[0-9]*; do
    if v_stat "$\{d#/proc/}" && [ "$st_group" = "$1" ] && ! v_dead; then return 0; fi
  done
  return 1
}
v_kill() {
  kill -s "$1" -- "-$2" 2>/dev/null || kill -s "$1" "$2" 2>/dev/null
}
v_runs() {
  { v_stat "$1" && [ "$st_state" != X ] && [ "$st_state" != Z ]; } || v_group "$1"
}
v_end_group() {
  v_kill TERM "$1"
  n=0
  while v_runs "$1"; do
    [ "$n" -ne "$GRACE" ] || v_kill KILL "$1"
    [ "$n" -lt $((GRACE + 100)) ] || return 1
    sleep 0.05
    n=$((n + 1))
  done
}
v_put() {
  put=$1
  shift
  # What dash says of a write that failed has no reason in it.
  printf '%s\n' "$*" >"$put" || env printf '%s\n' "$*" >"$put"
}
v_marked() {
  grep -lszxF -e "$1" /proc/[0-9]*/environ
}
`;
