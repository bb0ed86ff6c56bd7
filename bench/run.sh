#!/usr/bin/env bash
# Runs the benchmarks of a built tree: run.sh [NAME...] runs those named (limits data control study
# proxy open search step), without names all. The machine's own limits come first. Ends with 1 when a figure is missed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
build=build/release
bin=$build/bench-bin
known=(limits data control study proxy open search step)
names=("${known[@]}")
[ $# -gt 0 ] && names=("$@")
failed=0

beside_optuna() {  # beside_optuna PROGRAM: with the Python that has Optuna.
  local venv
  venv=$(scripts/deps/peers.sh) && "$venv/bin/python" "bench/$1"
}

for name in "${names[@]}"; do
  case $name in
    limits) "$bin/machine_limits" "$build" || failed=1 ;;
    data) "$bin/data_bench" || failed=1 ;;
    search) bench/search.sh || failed=1 ;;
    control) "$bin/control_bench" "$build/bin" || failed=1 ;;
    # Trials a second beside Optuna on SQLite; Optuna's Python loop through the coordinator beside its
    # own proxy; from exec to serving, and memory, with 100,000 and 1,000,000 trials.
    study) beside_optuna study_vs_optuna.py || failed=1 ;;
    proxy) beside_optuna proxy_vs_optuna.py || failed=1 ;;
    open) beside_optuna open_bench.py || failed=1 ;;
    step)
      # Training steps against PyTorch on the same cores.
      if [ -x bench/step.sh ]; then
        bench/step.sh || failed=1
      fi
      ;;
    *)
      echo "bench: error: no benchmark is called '$name'; there are: ${known[*]}" >&2
      exit 2
      ;;
  esac
done
exit $failed
