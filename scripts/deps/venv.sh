#!/usr/bin/env bash
# venv.sh NAME WHAT [PIP OPTION]...: the virtual environment NAME-venv with the packages of
# scripts/deps/NAME.txt. Quick when it is there already. Prints its folder as the last line.
set -euo pipefail
cd "$(dirname "$0")/../.."
name=$1 what=$2
shift 2
list=scripts/deps/$name.txt
venv=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/$name-venv
stamp=$venv/.complete
want=$(sha256sum "$list" | cut -d' ' -f1)
ready() { [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && [ -x "$venv/bin/python" ]; }
if ready; then
  echo "$venv"
  exit 0
fi
mkdir -p "$(dirname "$venv")"
exec 9>"$venv.lock"
flock 9
if ready; then  # Another one has made it meanwhile.
  echo "$venv"
  exit 0
fi
# Debian's interpreter, not one that happens to come first in PATH.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
echo "$name: installing $what from PyPI into $venv" >&2
rm -rf "$venv"
"$python" -m venv "$venv" || {
  echo "$name: error: python3 cannot make a virtual environment; run make deps first." >&2
  exit 1
}
"$venv/bin/pip" install --quiet --disable-pip-version-check "$@" -r "$list" >&2 || {
  echo "$name: error: PyPI could not be reached or lacks a pinned version; see the message above." >&2
  exit 1
}
echo "$want" >"$stamp"
echo "$venv"
