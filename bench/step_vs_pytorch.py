#!/usr/bin/env python3
"""One training step of the default model: this project's (bench/step_bench.cc) beside PyTorch's, in one
run, round by round, on the same cores. Needs the environment of scripts/deps/peers-torch.sh:

    "$(scripts/deps/peers-torch.sh)/bin/python" bench/step_vs_pytorch.py [--length 300] [--rounds 3]

Rows: `shipped` is the model as its authors wrote it (one Linear a head, a mask a step), `plain` a
well-written eager one (fused QKV, scaled_dot_product_attention, fused AdamW), `vlm` ours. Each
program waits for its turn, so rounds see the same machine; ratios are taken inside a round. On a
machine that others use too, --threads 1 and the ratio of CPU times say more than the wall clock.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "parity"))
from reference_model import Attention, Model, Shape  # noqa: E402


class FusedAttention(nn.Module):
    """What a careful PyTorch user writes in the place of Attention."""

    def __init__(self, width, heads, dropout, causal):
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)
        self.heads, self.rate, self.causal = heads, dropout, causal
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        batch, rows, width = x.shape
        q, k, v = self.qkv(x).view(batch, rows, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.rate if self.training else 0.0, is_causal=self.causal,
            scale=width ** -0.5)
        return self.dropout(self.proj(out.transpose(1, 2).reshape(batch, rows, width)))


def fuse(module):
    """Replaces every Attention below `module`."""
    for name, child in module.named_children():
        if isinstance(child, Attention):
            head = child.heads[0]
            width = child.proj.in_features
            setattr(module, name, FusedAttention(width, len(child.heads), head.dropout.p, head.causal))
        else:
            fuse(child)
    return module


class Eager:
    def __init__(self, options, fused):
        torch.manual_seed(1)
        shape = Shape(n_embd=options.n_embd, dropout=options.dropout, emb_dropout=options.dropout,
                      blk_dropout=options.dropout)
        self.model = fuse(Model(shape)) if fused else Model(shape)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, fused=fused)
        self.images = torch.randn(options.batch, 3, 96, 96)
        self.tokens = torch.randint(0, 100, (options.batch, options.length))
        self.targets = torch.roll(self.tokens, -1, dims=1)

    def steps(self, count):
        seconds = []
        cpu = time.process_time()
        for _ in range(count):
            start = time.monotonic()
            self.optimizer.zero_grad()
            loss = self.model.loss(self.images, self.tokens, self.targets)
            loss.backward()
            self.optimizer.step()
            loss.item()
            seconds.append(time.monotonic() - start)
        self.cpu = (time.process_time() - cpu) / count
        return seconds


class Ours:
    def __init__(self, options):
        program = ROOT / "build" / "release" / "bench-bin" / "step_bench"
        self.process = subprocess.Popen(
            [program, "--batch", str(options.batch), "--length", str(options.length), "--threads",
             str(options.threads), "--n-embd", str(options.n_embd), "--dropout", str(options.dropout)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def steps(self, count):
        answer = self.ask(f"steps {count}")
        self.cpu = answer["cpu_s_per_step"]
        return answer["seconds"]

    def close(self):
        self.process.stdin.write("quit\n")
        self.process.stdin.close()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--length", type=int, default=300)
    parser.add_argument("--n-embd", type=int, default=128)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3, help="steps of each row in a round")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    ours = Ours(options)
    print("machine:", json.dumps(ours.ask("limits")), flush=True)
    rows = {"vlm": ours, "plain": Eager(options, fused=True), "shipped": Eager(options, fused=False)}
    for row in rows.values():
        row.steps(1)
    medians = {name: [] for name in rows}
    cpu = {name: [] for name in rows}
    for number in range(options.rounds):
        for name, row in rows.items():
            medians[name].append(statistics.median(row.steps(options.steps)))
            cpu[name].append(row.cpu)
        print(f"round {number}: " + "  ".join(
            f"{name} {1000 * values[-1]:.0f} ms" for name, values in medians.items()), flush=True)
    ours.close()
    slower = False
    for name in ("plain", "shipped"):
        ratio = statistics.median(peer / own for peer, own in zip(medians[name], medians["vlm"]))
        slower = slower or ratio < 1
        work = min(cpu[name]) / min(cpu["vlm"])
        print(f"vlm is {ratio:.2f} times as fast as PyTorch eager, {name} (CPU time: {work:.2f} times)")
    best = min(medians["vlm"])
    print(f"vlm: {options.batch / best:.1f} samples/s in the best round; CPU seconds a step: "
          + ", ".join(f"{name} {min(values):.2f}" for name, values in cpu.items()))
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
