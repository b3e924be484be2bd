import { shell } from './shell.js';

/** Exit codes of looks at files. */
export const failed = 3;
export const notRegular = 4;
export const notYet = 5;
export const tooMany = 9;

/**
 * Looks at files and folders that the session's shell takes by itself, in a subshell: a tool is started only to read a file, to pause, and
 * to tell why a look failed. What they run ends by itself within moments, so that they need no group of their own.
 */
export const remoteLooks = shell`
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
# $1: the mark between files, $2: bytes of each, $3: paths in all; then a list each, by lines: $4 patterns, $5 the folders on their
# way, with a slash behind those that are listed, $6 patterns of names alone. Tells f (a file), o (what is none, or not read) and d
# (nobody may look) with their paths, an empty word, and then the files, each with the mark at its end: one tool reads them, which finds
# the mark in its own environment.
v_look_at() {
  mark=$1 bytes=$2 most=$3 patterns=$4 names=$6 IFS='
'
  for name in $5; do
    v_may_enter "$name" || printf 'd%s\000' "$\{name%/}"
  done
  set -- $names
  [ $# -le "$most" ] || exit 9
  for name; do
    case $name in *"$IFS"*) continue ;; esac
    v_is_there "$name" && printf 'o%s\000' "$name"
  done
  set -- $patterns
  [ $# -le "$most" ] || exit 9
  files= count=0
  for name; do
    case $name in *"$IFS"*) continue ;; esac
    if [ -f "$name" ]; then
      printf 'f%s\000' "$name"
      files=$files$name$IFS/proc/self/environ$IFS count=$((count + 1))
      [ "$count" -lt 1000 ] || v_read_all
    else
      v_is_there "$name" && printf 'o%s\000' "$name"
    fi
  done
  v_read_all
}
v_is_there() {
  if [ -e "$1" ] || [ -L "$1" ]; then return 0; fi
  if v_is_hidden "$1"; then printf 'd%s\000' "$1"; fi
  return 1
}
v_may_enter() {
  [ -d "$1" ] || { ! v_is_hidden "$1"; return; }
  case $1 in */) [ -r "$1" ] || return ;; esac
  [ -x "$1" ]
}
v_is_hidden() {
  case $1 in *\**) return 1 ;; esac
  d=$\{1%/*}
  while [ -n "$d" ] && ! [ -d "$d" ]; do d=$\{d%/*}; done
  ! [ -x "$d/" ]
}
v_read_all() {
  printf '\000'
  [ -n "$files" ] || return 0
  set -f
  env -i "V=$mark" head -q -c "$bytes" -- $files
  set +f
  files= count=0
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
