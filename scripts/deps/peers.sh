#!/usr/bin/env bash
# Makes the virtual environment with the programs that tests/peers compares the study file against
# (Optuna, its dashboard). Quick when it is there already. Prints the folder as its last line.
set -euo pipefail
cd "$(dirname "$0")/../.."
list=scripts/deps/peers.txt
venv=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/peers-venv
stamp=$venv/.complete
want=$(sha256sum "$list" | cut -d' ' -f1)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x "$venv/bin/python" ]; then
  echo "peers: ready" >&2
  echo "$venv"
  exit 0
fi
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
  echo "$venv"
  exit 0
fi
# Debian's interpreter, not one that happens to come first in PATH.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
echo "peers: installing Optuna and its dashboard from PyPI into $venv" >&2
rm -rf "$venv"
"$python" -m venv "$venv" || {
  echo "peers: error: python3 cannot make a virtual environment; run make deps first." >&2
  exit 1
}
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$list" >&2 || {
  echo "peers: error: PyPI could not be reached or lacks a pinned version; see the message above." >&2
  exit 1
}
echo "$want" >"$stamp"
echo "$venv"
