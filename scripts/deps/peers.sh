#!/usr/bin/env bash
# The programs that tests/peers compares the study file against; see venv.sh.
exec "$(dirname "$0")/venv.sh" peers "Optuna and its dashboard"
