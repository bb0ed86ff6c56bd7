#!/usr/bin/env bash
# Makes a Python environment with PyTorch itself, for the tests that run against it and for making
# the golden files: about 5.5 GB and 90 s, once. Prints its path as the last line.
set -euo pipefail
list=$(cd "$(dirname "$0")" && pwd)/peers-torch.txt
dir=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/torch-venv
stamp=$dir/.installed-$(sha256sum "$list" | cut -c1-16)
if [ ! -e "$stamp" ]; then
  echo "peers: making $dir (once; 5.5 GB from PyPI)" >&2
  rm -rf "$dir"
  python3 -m venv "$dir"
  PIP_DISABLE_PIP_VERSION_CHECK=1 "$dir/bin/python" -m pip install --quiet --no-cache-dir -r "$list" || {
    rm -rf "$dir"
    echo "peers: error: PyTorch could not be fetched from PyPI (pip's message is above)." >&2
    exit 1
  }
  touch "$stamp"
fi
echo "$dir"
