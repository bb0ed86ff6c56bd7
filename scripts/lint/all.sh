#!/usr/bin/env bash
# Every check of the sources: all.sh [NAME...] runs those named, without names all of them.
# Ends with "N passed, N failed", which .ci/run adds up.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
checks=(format layers tests sizes words scripts docs tidy)
[ $# -gt 0 ] && checks=("$@")
passed=0 failed=0
for check in "${checks[@]}"; do
  case $check in
    format) command=(scripts/lint/format.sh) ;;
    layers) command=(scripts/lint/layers.py) ;;
    tests) command=(scripts/lint/tests_registered.py) ;;
    sizes) command=(scripts/lint/sizes.py) ;;
    words) command=(scripts/lint/words.py) ;;
    scripts) command=(scripts/lint/scripts.sh) ;;
    docs) command=(scripts/lint/docs.sh) ;;
    tidy) command=(scripts/lint/tidy.py) ;;
    *)
      echo "lint: error: no check is called '$check'; there are: ${checks[*]}" >&2
      exit 2
      ;;
  esac
  if "${command[@]}"; then
    passed=$((passed + 1))
  else
    echo "lint: $check failed" >&2
    failed=$((failed + 1))
  fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
