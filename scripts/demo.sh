#!/usr/bin/env bash
# The demo on a built tree: demo.sh. Renders captioned pictures, starts a coordinator and a worker of its
# own, searches with configs/demo.yaml, shows the best trial, the loss curves and what it says about
# pictures that it has never seen. Everything stays in demo-out/; running it again starts afresh.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/build/release/bin
out=$PWD/demo-out
pictures=3000
started=$SECONDS

say() { printf 'demo: %s\n' "$*"; }
die() {
  printf 'demo: error: %s\n' "$*" >&2
  exit 1
}

for program in vlmctl vlm-coordinator vlm-worker vlm-trainer; do
  [ -x "$bin/$program" ] || die "$bin/$program is missing: run 'make build' first."
done
mkdir -p "$out"
exec 9>"$out/lock"
flock -n 9 || die "another demo runs in $out: wait for it, or end it with Ctrl-C."

# A private local mode: neither the studies nor the configured coordinator of this user are touched.
export XDG_STATE_HOME=$out/state VLM_CACHE_DIR=$out/cache
vlmctl() { "$bin/vlmctl" "$@" 9>&-; }
finish() {
  local code=$?
  trap - EXIT
  trap '' INT TERM
  vlmctl down --grace 10 >/dev/null 2>"$out/down.log" || true
  [ "$code" -eq 0 ] || printf 'demo: ended early (exit %d); logs are in %s\n' "$code" "$XDG_STATE_HOME" >&2
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

vlmctl down --grace 10 >/dev/null 2>&1 || true # What an earlier demo that was killed left.
rm -rf "$XDG_STATE_HOME" "$out/first-step" "$out/curves.png" "$out/best.yaml"

if [ ! -f "$out/shapes/captions.csv" ] ||
  [ "$(wc -l <"$out/shapes/captions.csv")" -ne $((pictures + 1)) ]; then
  say "rendering $pictures captioned pictures into $out/shapes"
  vlmctl data shapes --out "$out/shapes" --n "$pictures" --seed 1 --image-size 48 >/dev/null 2>&1 ||
    die "the pictures could not be written to $out/shapes; is the disk full?"
fi

say "starting a coordinator and a worker with two slots"
addr=$(vlmctl up --slots 2 --threads-per-slot 1) ||
  die "they did not start; vlmctl says why above."
say "searching learning_rate, batch_size and n_embd; two trials at a time"
# Progress goes to stderr; the best trial, which submit would print too, is shown below.
vlmctl --addr "$addr" submit configs/demo.yaml --follow --name demo >/dev/null ||
  die "the study did not complete; vlmctl says why above."

say "the best trial:"
vlmctl --addr "$addr" study best demo || die "the study has no best trial."
vlmctl --addr "$addr" plot curves demo --out "$out/curves.png" >/dev/null ||
  die "the loss curves could not be drawn."
say "loss curves of all trials: $out/curves.png"

# The same configuration after one step, to compare with.
vlmctl --addr "$addr" study best demo -o yaml --params-only >"$out/best.yaml" 2>"$out/best.log" ||
  die "the best configuration could not be read; see $out/best.log."
"$bin/vlm-trainer" --config "$out/best.yaml" --standalone --threads 1 --set max_iters=1 \
  --set eval_iters=1 --out "$out/first-step" >"$out/first-step.log" 2>&1 9>&- ||
  die "training one step failed; see $out/first-step.log."

best=demo/$(vlmctl --addr "$addr" study best demo -o json | python3 -c '
import json, sys
trial = json.load(sys.stdin)
print((trial[0] if isinstance(trial, list) else trial)["number"])')
caption() { # CHECKPOINT PICTURE
  vlmctl --addr "$addr" generate --ckpt "$1" --image "$2" --prompt a 2>>"$out/generate.log" ||
    die "no caption from $1; see $out/generate.log."
}
say "three pictures that no trial was trained on:"
for row in 2711 2851 2999; do # The last tenth validates.
  IFS=, read -r picture truth < <(sed -n "$((row + 1))p" "$out/shapes/captions.csv")
  printf '\n  %s\n' "$out/shapes/$picture"
  printf '    what it shows         %s\n' "$truth"
  printf '    after the first step  %s\n' "$(caption "$out/first-step/step-00000001.safetensors" "$out/shapes/$picture" | cut -c1-60)"
  printf '    by the best trial     %s\n' "$(caption "$best" "$out/shapes/$picture")"
done
printf '\n'
say "done in $((SECONDS - started)) s. To look around: export XDG_STATE_HOME=$XDG_STATE_HOME; $bin/vlmctl up; $bin/vlmctl study list"
