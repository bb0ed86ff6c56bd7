#!/usr/bin/env bash
# Runs a test with the Python that has what the package needs; makes it if needed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv=$("$here/../../scripts/deps/python.sh" | tail -n 1)
exec "$venv/bin/python" "$@"
