#!/usr/bin/env bash
# Makes the Python environment that checks the Kubernetes manifests offline, once per version of
# deploy.txt, and prints its folder. Safe to run again and from several processes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/deploy-$(sha256sum "$here/deploy.txt" | cut -c1-12)
if [ ! -e "$dir/.installed" ]; then
  mkdir -p "$(dirname "$dir")"
  exec 9>"$dir.lock"
  flock 9
  if [ ! -e "$dir/.installed" ]; then
    rm -rf "$dir"
    python3 -m venv "$dir"
    "$dir/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: \
      -r "$here/deploy.txt" >&2 || {
      echo "deploy: error: the Kubernetes checker could not be fetched from PyPI (pip's message is above)." >&2
      exit 1
    }
    touch "$dir/.installed"
  fi
fi
echo "$dir"
