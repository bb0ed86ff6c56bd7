#!/usr/bin/env bash
# Writes docs/protocol.md from the comments of proto/; --check compares instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
page=docs/protocol.md
new=$(mktemp)
trap 'rm -f "$new"' EXIT
python3 scripts/docs/protocol.py proto/vlm/v1/{control,fleet,trainer,study,config}.proto proto/optuna/storage.proto >"$new"
if [ "${1:-}" = --check ]; then
  cmp -s "$new" "$page" || {
    echo "docs: error: $page is not what the protocols say: run 'make docs'." >&2
    exit 1
  }
  exit 0
fi
cmp -s "$new" "$page" || cp "$new" "$page"
echo "docs: $page is up to date"
