#!/usr/bin/env bash
# Prints pid and command line of every process whose environment has the given NAME=VALUE: what a run that was marked with it left behind.
# The caller must not have it in its own.
set -euo pipefail

mark=$1
marked=$(grep --files-with-matches --no-messages --null-data --fixed-strings --line-regexp "$mark" /proc/[0-9]*/environ || true)
for file in $marked; do
  pid=${file#/proc/}
  pid=${pid%/environ}
  # It may have ended meanwhile; what has ended and was not waited for yet has no command line.
  command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" || true)
  [ -z "$command" ] || printf '%s %s\n' "$pid" "$command"
done
