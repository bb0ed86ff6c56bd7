#!/usr/bin/env bash
# Checks that the tracked C++ sources are as clang-format 14 writes them; --fix rewrites them.
# One version on purpose: another one formats differently and every commit would be noise.
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=$(command -v clang-format-14) || {
  echo "format: error: clang-format-14 is not installed: run 'make deps'." >&2
  exit 1
}
mapfile -t files < <(git ls-files --cached --others --exclude-standard '*.cc' '*.h')
if [ "${1:-}" = --fix ]; then
  "$tool" -i "${files[@]}"
  echo "format: ${#files[@]} files are formatted"
  exit
fi
bad=$(printf '%s\n' "${files[@]}" | xargs -P 2 -n 16 "$tool" --dry-run 2>&1 |
  sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: code should be clang-formatted.*/\1/p' | sort -u)
if [ -n "$bad" ]; then
  printf 'format: %s is not formatted\n' $bad >&2
  echo "format: error: run 'make format'." >&2
  exit 1
fi
echo "format: ${#files[@]} files"
