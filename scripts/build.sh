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
ninja -C "build/$preset" -j "$jobs" --quiet "$@" || {
  echo "build: error: compiling failed; the messages above say where." >&2
  exit 1
}
echo "build: programs are in build/$preset/bin"
