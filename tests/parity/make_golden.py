#!/usr/bin/env python3
"""Writes tests/parity/golden/: what PyTorch computes for a small model, and the hashes of the initial
weights of the default one. Needs the environment of scripts/deps/peers-torch.sh:

    "$(scripts/deps/peers-torch.sh)/bin/python" tests/parity/make_golden.py

Everything is float32 on one CPU thread, dropout 0.
"""

import hashlib
import json
import pathlib

import torch
from safetensors.torch import save_file

from reference_model import Model, Shape

HERE = pathlib.Path(__file__).parent / "golden"
SMALL = Shape(n_embd=24, image_embed_dim=40, vocab_size=37, n_layer=2, num_blks=2, img_size=12,
              patch_size=4, num_head=4)
SEED = 1234
BATCH, LENGTH, STEPS = 3, 21, 20


def make_batch(shape, seed, batch=BATCH, length=LENGTH):
    draw = torch.Generator().manual_seed(seed)
    images = torch.randn(batch, 3, shape.img_size, shape.img_size, generator=draw)
    tokens = torch.randint(0, shape.vocab_size, (batch, length), generator=draw)
    pad = torch.full((batch, 1), shape.vocab_size - 1)
    return images, tokens, torch.cat([tokens[:, 1:], pad], dim=1)


def new_model(shape, seed):
    torch.manual_seed(seed)
    model = Model(shape)
    return model.eval()  # eval: the projector's dropout is fixed at 0.1 otherwise.


def hashes(model):
    return {name: hashlib.sha256(value.numpy().tobytes()).hexdigest()
            for name, value in model.state_dict().items()}


def pass_file(shape):
    """Weights, batch, logits, loss and gradients of one forward and backward pass."""
    model = new_model(shape, SEED)
    images, tokens, targets = make_batch(shape, seed=5)
    logits = model(images, tokens)
    loss = model.loss(images, tokens, targets)
    loss.backward()
    data = {name: value.clone() for name, value in model.state_dict().items()}
    data |= {"batch.images": images, "batch.tokens": tokens, "batch.targets": targets}
    data |= {"want.logits": logits.detach(), "want.loss": loss.detach()}
    data |= {f"want.grad.{name}": value.grad for name, value in model.named_parameters()}
    return {name: value.contiguous() for name, value in data.items()}


def train_file(shape):
    """The losses of AdamW steps, each on its own batch."""
    model = new_model(shape, SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    data = {}
    losses = []
    for step in range(STEPS):
        images, tokens, targets = make_batch(shape, seed=100 + step)
        data |= {f"{step}.images": images, f"{step}.tokens": tokens, f"{step}.targets": targets}
        optimizer.zero_grad()
        loss = model.loss(images, tokens, targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return data | {"losses": torch.stack(losses)}


def main():
    torch.set_num_threads(1)
    HERE.mkdir(exist_ok=True)
    # One key: safetensors writes several in no fixed order, and the files should come out the same.
    about = {"made_by": f"torch {torch.__version__}, seed {SEED}"}
    save_file(pass_file(SMALL), HERE / "small_pass.safetensors", metadata=about)
    save_file(train_file(SMALL), HERE / "small_train.safetensors", metadata=about)
    digests = {"seed": SEED, "small": hashes(new_model(SMALL, SEED)),
               "default": hashes(new_model(Shape(), SEED))}
    (HERE / "initial_weights.json").write_text(json.dumps(digests, indent=0) + "\n")


if __name__ == "__main__":
    main()
