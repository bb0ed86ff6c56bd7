#!/usr/bin/env bash
# What the Python package is built with and needs; see venv.sh.
exec "$(dirname "$0")/venv.sh" python "gRPC's tools and pandas" --require-hashes
