#!/usr/bin/env bash
# Installs what the build needs and is not there yet: Debian packages, then LibTorch.
# Safe to run again. GPU=1 also installs the parts of LibTorch that a GPU needs.
# VLM_TORCH_DIR names a LibTorch that is already there (a folder with torch/lib/libtorch_cpu.so).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=2.15.0

say() { printf 'deps: %s\n' "$*"; }
die() {
  printf 'deps: error: %s\n' "$*" >&2
  exit 1
}

check_system() {
  local id="" release=""
  if [ -r /etc/os-release ]; then
    # shellcheck source=/dev/null
    id=$(. /etc/os-release && echo "${ID:-}")
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && echo "${VERSION_ID:-}")
  fi
  [ "$(uname -m)" = x86_64 ] ||
    die "this machine is $(uname -m); vlmctl builds on x86_64 only (LibTorch's wheel is for x86_64)."
  [ "$id $release" = "debian 12" ] ||
    die "this system is '${id:-unknown} ${release:-}'; make deps knows Debian 12 only: use a Debian 12 machine or container, or install the packages of scripts/deps/debian.txt by hand and run make with SKIP_APT=1."
}

install_packages() {
  local missing=() name
  while read -r name; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null | grep -q '^.i' || missing+=("$name")
  done < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$here/debian.txt")
  if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages: all there"
    return
  fi
  local root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "installing ${#missing[@]} Debian packages needs root: run as root or install sudo."
    root=(sudo)
  fi
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q ||
    die "apt-get update failed: is the Debian package archive reachable?"
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
    "${missing[@]}" || die "apt-get install failed; its message is above."
}

# Which list: 1 = what a CPU needs, 2 = plus what compiling the CUDA plugin needs, 3 = all.
lists=(- torch-cpu torch-cuda-build torch-gpu)
sizes=(- "550 MB" "750 MB" "3 GB")

install_torch() {
  local level=$1 dir=$2 have=0 stamp list aside
  for stamp in 1 2 3; do
    list=$here/${lists[stamp]}.txt
    [ -e "$dir/.installed-$stamp-$(sha256sum "$list" | cut -c1-16)" ] && have=$stamp
  done
  if [ "$have" -ge "$level" ]; then
    say "LibTorch $version: in $dir"
    return
  fi
  list=$here/${lists[level]}.txt
  say "fetching LibTorch $version from PyPI into $dir (once; about ${sizes[level]})"
  aside=$dir.part.$$
  rm -rf "$dir".part.*
  mkdir -p "$aside"
  # Each wheel names the platform tag it was built for; pip takes what is listed here and nothing newer.
  local tags=() tag
  for tag in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_24 manylinux_2_18 manylinux_2_17 \
    manylinux2014 manylinux_2_12 manylinux2010 manylinux_2_5 manylinux1 linux; do
    tags+=(--platform "${tag}_x86_64")
  done
  PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet \
    --no-compile --no-deps --no-cache-dir --only-binary=:all: --implementation cp \
    --python-version 3.11 --abi cp311 --abi abi3 --abi none "${tags[@]}" --platform any \
    --require-hashes --target "$aside" -r "$list" ||
    { rm -rf "$aside"; die "LibTorch could not be fetched from PyPI (pip's message is above)."; }
  [ -e "$aside/torch/lib/libtorch_cpu.so" ] || die "the wheel holds no torch/lib/libtorch_cpu.so"
  touch "$aside/.installed-$level-$(sha256sum "$list" | cut -c1-16)"
  rm -rf "$dir"
  mv "$aside" "$dir"
  say "LibTorch $version: ready"
}

if [ "${SKIP_APT:-0}" != 1 ]; then
  check_system
  install_packages
fi
if [ -n "${VLM_TORCH_DIR:-}" ]; then
  [ -e "$VLM_TORCH_DIR/torch/lib/libtorch_cpu.so" ] ||
    die "VLM_TORCH_DIR is '$VLM_TORCH_DIR' but there is no torch/lib/libtorch_cpu.so in it."
  say "LibTorch: using $VLM_TORCH_DIR"
else
  level=1
  command -v nvcc >/dev/null && level=2
  [ "${GPU:-0}" = 1 ] && level=3
  install_torch $level "${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/libtorch-$version"
fi
