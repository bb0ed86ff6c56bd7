#!/usr/bin/env bash
# Runs the Python of the peers' virtual environment with the given arguments; makes it if needed.
set -euo pipefail
venv=$("$(dirname "$0")/deps/peers.sh" | tail -n 1)
exec "$venv/bin/python" "$@"
