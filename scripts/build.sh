#!/usr/bin/env bash
# Configures and builds a preset: build.sh PRESET [JOBS [TARGET...]]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1
jobs=${2:-$(nproc)}
shift $(($# < 2 ? $# : 2))
log=build/$preset.configure.log
mkdir -p build
echo "build: configuring ($preset)"
if ! cmake --preset "$preset" >"$log" 2>&1; then
  cat "$log" >&2
  echo "build: error: configuring failed; the message above says why." >&2
  exit 1
fi
echo "build: compiling with $jobs jobs"
export NINJA_STATUS="build: [%f/%t] "
# A terminal gets ninja's moving line; a log gets a line every tenth of the way, and all messages.
thin() {
  local line tenth=0 at
  while IFS= read -r line; do
    if [[ $line =~ ^build:\ \[([0-9]+)/([0-9]+)\] ]]; then
      at=$((10 * BASH_REMATCH[1] / BASH_REMATCH[2]))
      [ "$at" -le "$tenth" ] || echo "build: ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
      tenth=$((at > tenth ? at : tenth))
    elif [[ $line != "ninja: "[En]* ]]; then
      printf '%s\n' "$line"
    fi
  done
}
compile() {
  if [ -t 1 ]; then ninja "$@"; else ninja "$@" | thin; fi
}
compile -C "build/$preset" -j "$jobs" "$@" || {
  echo "build: error: compiling failed; the messages above say where." >&2
  exit 1
}
echo "build: programs are in build/$preset/bin"
