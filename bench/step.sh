#!/usr/bin/env bash
# A training step of the default model beside PyTorch eager in one run; without PyTorch's environment
# (scripts/deps/peers-torch.sh makes it, 5.5 GB) our side alone. Ends with 1 when ours is slower.
set -euo pipefail
cd "$(dirname "$0")/.."
threads=$(nproc)
python=${XDG_CACHE_HOME:-$HOME/.cache}/vlmctl/torch-venv/bin/python
if [ -x "$python" ]; then
  exec "$python" bench/step_vs_pytorch.py --threads "$threads"
fi
echo "step: PyTorch is not here (scripts/deps/peers-torch.sh fetches it); our side alone:"
printf 'limits\nsteps 2\nsteps 5\nquit\n' | build/release/bench-bin/step_bench --threads "$threads"
