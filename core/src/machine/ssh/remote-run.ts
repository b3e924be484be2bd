import { shell } from './shell.js';

/** Runs a command in a group of its own, under the guard if there is one, and tells how it ended. */
export const remoteRun = shell`
v_run() {
  [ -z "$R" ] || v_hold
  [ -z "$stop$lost" ] || v_end given-up
  if [ -n "$R" ]; then
    { [ -e "$T" ] && printf '%s\n' "$BOOT $K - -" >"$T"; } 2>/dev/null ||
      e=$(umask 077; v_put "$T" "$BOOT $K - -" 2>&1) || v_end state "$e"
    VBS_GUARD=$K
    export VBS_GUARD
  fi
  printf '%s begun\n' "$M" >&8
  if [ -n "$HASINPUT" ]; then
    { exec 8>&- 9>&-; printf "$FORMAT" "$INPUT"; } | v_tool "$@" 2>&8 8>&- &
  else
    v_tool "$@" 2>&8 8>&- </dev/null &
  fi
  tool=$!
  while :; do
    wait "$tool"
    rc=$?
    [ -z "$stop" ] && v_stat "$tool" && ! v_dead || break
  done
  while [ -z "$stop" ] && v_group "$tool"; do sleep 0.05; done
  if [ -n "$stop" ]; then
    v_end_group "$tool" || { kept=1; v_end hangs "$tool"; }
    wait "$tool"
    [ "$?" -eq 127 ] || rc=$?
  fi
  v_left_behind
  v_release
  case $rc in 126 | 127) v_why "$1" ;; esac
  v_end exit "$rc"
}
v_wait() {
  here=1
  v_run "$@"
}
# What was started after the tool and runs still may hold the session's streams, where what it writes would be taken for another command's output,
# or the lock. Of another user it cannot be looked at; what a tool leaves behind by sudo is init's child. Where the pids began anew nothing is known.
v_left_behind() {
  p=$tool rounds=0
  while
    read -r a b c d last </proc/loadavg
    [ "$p" -lt "$last" ]
  do
    if [ "$rounds" -ge 20 ]; then kept=1 locked=1 p=$last; fi
    if [ $((last - p)) -gt 300 ]; then
      for f in /proc/[0-9]*; do
        [ "$\{f#/proc/}" -le "$p" ] || v_holds "$\{f#/proc/}"
      done
      p=$last
    fi
    while [ "$p" -lt "$last" ]; do
      p=$((p + 1))
      v_holds "$p"
    done
    rounds=$((rounds + 1))
  done
  [ "$last" -ge "$tool" ] || kept=1 locked=1
}
v_holds() {
  v_stat "$1" && ! v_dead || return
  if ! [ -r "/proc/$1/fd" ]; then
    if v_stat "$1" && ! v_dead && [ "$st_parent" = 1 ]; then kept=1 locked=1; fi
    return
  fi
  for f in "/proc/$1/fd"/*; do
    if [ "$f" -ef /proc/self/fd/1 ] || [ "$f" -ef /proc/self/fd/8 ]; then kept=1; fi
    if [ -n "$R" ] && [ "$f" -ef /proc/self/fd/9 ]; then locked=1; fi
  done
}
v_tool() {
  [ -z "$here" ] || { "$@"; exit; }
  if [ -n "$R" ]; then
    # setsid keeps the pid and the start time of this subshell.
    IFS= read -r s </proc/self/stat || exit 125
    v_fields $\{s##*) }
    printf '%s\n' "$BOOT $K $\{s%% *} $st_start" >"$T"
  fi
  exec setsid "$@"
}
v_why() {
  case $1 in
  */*) w=$1 ;;
  *) w=$(command -v -- "$1") ;;
  esac
  [ -n "$w" ] && [ -e "$w" ] || v_end missing
  [ -f "$w" ] && [ -x "$w" ] || v_end denied
  case $(head -c 2 -- "$w") in
  '#!') w=$(head -n 1 -- "$w" | tr -d '#!'); v_interpreter $w ;;
  esac
}
v_interpreter() {
  [ -x "$1" ] || v_end interpreter
}
`;

/** Ends the sessions of these marks that were cut off, with what they run. */
export const remoteLost = shell`
v_lost() {
  n=0
  while
    found=$(printf '%s\n' "$@" | grep -lsF -f - /proc/[0-9]*/cmdline)
    [ -n "$found" ]
  do
    for f in $found; do
      f=$\{f#/proc/}
      kill -TERM "$\{f%/cmdline}" 2>/dev/null
    done
    [ -z "$stop" ] && [ "$n" -lt $((GRACE + 140)) ] || v_end hangs
    sleep 0.05
    n=$((n + 1))
  done
  v_end done
}
`;
