#!/usr/bin/env bash
# Runs the tests of a built preset: test.sh PRESET [LABEL-REGEX]
# Ends with "N passed, N failed", which .ci/run repeats.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
preset=$1
labels=${2:-}
args=(--test-dir "build/$preset" --output-on-failure --no-tests=error --output-junit "$PWD/build/$preset/junit.xml")
[ -n "$labels" ] && args+=(-L "$labels")
[ "$preset" = tsan ] && export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
[ "$preset" = asan ] && export ASAN_OPTIONS="detect_leaks=1" UBSAN_OPTIONS="print_stacktrace=1"
# The tests against Optuna need it installed; without a network they say so themselves.
if [ "$preset" = release ] && { [ -z "$labels" ] || [[ $labels == *peers* ]]; }; then
  scripts/deps/peers.sh >/dev/null || true
fi
rm -f "build/$preset/junit.xml"
ctest "${args[@]}"
code=$?
python3 - "build/$preset/junit.xml" <<'PY' || exit 1
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
total, bad, skipped = (int(suite.get(k, 0)) for k in ("tests", "failures", "skipped"))
print(f"{total - bad - skipped} passed, {bad} failed" + (f", {skipped} skipped" if skipped else ""))
PY
exit $code
