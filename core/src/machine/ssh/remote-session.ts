import { shell } from './shell.js';

/**
 * A session is three processes of one shell: `v_serve` reads requests, each of one line, and evaluates each in a subshell of its own; `v_mind`
 * ends what is over its time when nobody asks any more, or can; the shell itself waits for both.
 *
 * A request is its kind, its limit in seconds, its mark, and its program: `a` acts, and tells its end itself while requests are read on; `s` looks,
 * and is waited for; `A` and `S` have, in place of the program, its length in bytes, and the program follows. In between `c` ends what acts,
 * `r` says that it is ready, `p` asks whether its shell still runs. The end of the requests says that nobody asks any more.
 *
 * Descriptor 5 is the session's standard output while 1 leads to `v_mind`, 6 leads there afterwards, 7 has the requests until they are standard input.
 */
export const remoteSession = shell`
v_session() {
  v_hello
  { v_serve | v_mind; } 5>&1
}
v_serve() {
  exec 6>&1 1>&5 5>&- <&7 7<&-
  job= start=
  while IFS= read -r line; do
    case $line in
    c) v_signal TERM ;;
    r) v_signal USR2 ;;
    p) v_alive "$job" "$start" || printf '%s gone\n' "$M" >&8 ;;
    *)
      [ -z "$job" ] || wait "$job"
      kind=$\{line%% *} line=$\{line#* }
      limit=$\{line%% *} line=$\{line#* }
      M=$\{line%% *} line=$\{line#* }
      case $kind in
      A | S) line=$(head -c "$line") ;;
      esac
      case $kind in
      a | A) v_act "$line" & ;;
      *)
        v_hello
        v_see "$line" &
        ;;
      esac
      job=$! line= start=
      v_stat "$job" && start=$st_start
      read -r up rest </proc/uptime
      printf '%s %s %s\n' "$job" "$\{start:--}" "$(($\{up%%.*} + limit))" >&6
      case $kind in
      s | S)
        wait "$job"
        printf '%s end exit %s\n' "$M" "$?" >&8
        printf '%s end\n' "$M"
        job=
        ;;
      esac
      ;;
    esac
  done
  v_signal USR1
  v_stat self && [ "$st_parent" = $$ ] && kill $$
}
v_hello() {
  printf '%s hello\n' "$M" >&8
  printf '%s hello\n' "$M"
}
v_signal() {
  [ -z "$job" ] || ! v_alive "$job" "$start" || kill -s "$1" "$job"
}
v_see() {
  exec </dev/null 2>&8 6>&-
  eval "$1"
}
v_act() {
  exec </dev/null 6>&-
  trap stop=1 TERM
  trap 'lost=1; [ -n "$R" ] || stop=1' USR1
  trap isready=1 USR2
  v_hello
  eval "$1"
}
v_mind() {
  exec >/dev/null 5>&- 7<&- 8>&-
  while read -r job start deadline; do
    while v_alive "$job" "$start"; do
      read -r up rest </proc/uptime
      if [ "$\{up%%.*}" -le "$deadline" ]; then
        sleep 1
      else
        kill "$job"
        sleep 0.2
      fi
    done
  done
}
`;
