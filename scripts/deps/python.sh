#!/usr/bin/env bash
# Makes the virtual environment with what the Python package is built with and needs. Quick when it
# is there already. Prints the folder as its last line.
set -euo pipefail
cd "$(dirname "$0")/../.."
list=scripts/deps/python.txt
venv=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/python-venv
stamp=$venv/.complete
want=$(sha256sum "$list" | cut -d' ' -f1)
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x "$venv/bin/python" ]; then
  echo "$venv"
  exit 0
fi
# Debian's interpreter, not one that happens to come first in PATH.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
echo "python: installing gRPC's tools and pandas from PyPI into $venv" >&2
rm -rf "$venv"
"$python" -m venv "$venv" || {
  echo "python: error: python3 cannot make a virtual environment; run make deps first." >&2
  exit 1
}
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$list" >&2 || {
  echo "python: error: PyPI could not be reached or lacks a pinned version; see the message above." >&2
  exit 1
}
echo "$want" >"$stamp"
echo "$venv"
