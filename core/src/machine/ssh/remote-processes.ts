import { shell } from './shell.js';

/**
 * Commands that outlive the session: `processes/<file>.run` has boot, pid, start time, whether it was ready, and name; a mark in the
 * environment finds what was started and not recorded.
 */
export const remoteProcesses = shell`
v_running() {
  b= pid= start= ready= n=
  if [ -s "$D/processes/$1.run" ] && read -r b pid start ready n <"$D/processes/$1.run" && [ "$b" = "$BOOT" ] && v_alive "$pid" "$start"; then
    return 0
  fi
  pid= start=
  for f in $(v_marked "VBS_PROCESS=$2"); do
    f=$\{f#/proc/}
    f=$\{f%/environ}
    if v_stat "$f" && [ "$st_session" = "$f" ] && ! v_dead && { [ -z "$start" ] || [ "$st_start" -lt "$start" ]; }; then
      pid=$f start=$st_start ready=0
    fi
  done
  [ -n "$pid" ]
}
v_note() {
  v_put "$rec.new" "$BOOT $pid $start $1 $2" && mv -f "$rec.new" "$rec"
}
v_start() {
  rec=$D/processes/$1.run log=$D/processes/$1.log mark=$2 name=$3 child=
  file=$1
  shift 3
  v_hold
  umask=$(umask)
  umask 077
  if ! v_running "$file" "$mark"; then
    command -v -- "$1" >/dev/null || v_why "$1"
    e=$({ true >"$log"; } 2>&1) || v_end state "$e"
    umask "$umask"
    VBS_PROCESS=$mark setsid "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
    pid=$! child=1
    umask 077
    v_stat "$pid"
    start=$st_start ready=0
    e=$(v_note 0 "$name" 2>&1) || { v_end_group "$pid"; v_end state "$e"; }
  fi
  [ "$ready" != 1 ] || v_end started "$pid"
  printf '%s begun\n' "$M" >&8
  # That of busybox takes whole seconds alone.
  pause=0.05
  tail -s "$pause" -n 0 /dev/null 2>/dev/null || pause=1
  tail -n +1 -s "$pause" -f -- "$log" 2>/dev/null 8>&- 9>&- &
  tail=$!
  while [ -z "$stop$lost$isready" ] && v_alive "$pid" "$start"; do sleep 0.05; done
  kill "$tail" 2>/dev/null
  wait "$tail"
  if [ -n "$isready" ] && v_alive "$pid" "$start"; then
    e=$(v_note 1 "$name" 2>&1) || v_end state "$e"
    v_end started "$pid"
  fi
  [ -z "$lost" ] || exit
  printf '%s log\n' "$M"
  if v_alive "$pid" "$start"; then
    v_end_group "$pid" || v_end hangs "$pid"
    head -c 1048576 -- "$log"
    rm -f -- "$rec"
    v_end late
  fi
  rc=-
  if [ -n "$child" ]; then
    wait "$pid"
    rc=$?
  fi
  head -c 1048576 -- "$log"
  rm -f -- "$rec"
  case $rc in 126 | 127) v_why "$1" ;; esac
  v_end ended "$rc"
}
v_stop() {
  v_hold
  if v_running "$1" "$2"; then v_end_group "$pid" || v_end hangs "$pid"; fi
  rm -f -- "$D/processes/$1.run" "$D/processes/$1.log"
  v_end done
}
v_find() {
  for r in "$D"/processes/*.run; do
    [ -s "$r" ] || continue
    b= pid= start= ready= n=
    read -r b pid start ready n <"$r"
    case $pid$start in
    '' | *[!0-9]*) printf 'damaged %s\n' "$r" ;;
    *) [ "$b" != "$BOOT" ] || ! v_alive "$pid" "$start" || printf '%s %s\n' "$pid" "$n" ;;
    esac
  done
  for f in $(grep -lsz -e "^VBS_PROCESS=$1:" /proc/[0-9]*/environ); do
    p=$\{f#/proc/}
    p=$\{p%/environ}
    v_stat "$p" && [ "$st_session" = "$p" ] && ! v_dead || continue
    n=$(tr '\0' '\n' 2>/dev/null <"$f" | sed -n "s/^VBS_PROCESS=$1://p")
    printf '%s %s\n' "$p" "$n"
  done
  v_end done
}
`;
