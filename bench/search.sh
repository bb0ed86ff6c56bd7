#!/usr/bin/env bash
# TPE's suggestions beside Optuna's in one run (bench/search_vs_optuna.py), in the environment that
# scripts/deps/peers.sh makes. Ends with 1 when a figure is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
exec scripts/peers_python.sh bench/search_vs_optuna.py
