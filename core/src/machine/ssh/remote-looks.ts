import { shell } from './shell.js';

/** Exit codes of looks at files. */
export const failed = 3;
export const notRegular = 4;
export const notYet = 5;

/**
 * Looks at files and folders that the session's shell takes by itself, in a subshell: a tool is started only to read a file, to pause, and
 * to tell why a look failed. What they run ends by itself within moments, so that they need no group of their own.
 */
export const remoteLooks = shell`
v_look() {
  here=1
  v_run "$@"
}
v_read_file() {
  if [ -e "$1" ] && ! [ -f "$1" ] && ! [ -d "$1" ]; then exit 4; fi
  exec head -c "$2" -- "$1"
}
v_list() {
  cd -- "$1" && [ -r . ] || { ls -a -- "$1/." >/dev/null; exit 3; }
  some=
  for name in * .[!.]* ..?*; do
    if [ -e "$name" ] || [ -L "$name" ]; then
      some=1
      printf '%s\000' "$name"
    fi
  done
  # A folder that cannot be read looks empty too.
  [ -n "$some" ] || ls -a . >/dev/null || exit 3
}
v_is_so() {
  if [ "$2" = present ]; then [ -e "$1" ]; else ! [ -e "$1" ] && ! [ -L "$1" ]; fi
}
v_wait_path() {
  pause=20 left=$3
  until v_is_so "$1" "$2"; do
    [ "$left" -gt 0 ] || exit 5
    [ "$pause" -le "$left" ] || pause=$left
    sleep "0.$(printf %03d "$pause")"
    left=$((left - pause)) pause=$((pause * 2))
    [ "$pause" -le 200 ] || pause=200
  done
}
`;
