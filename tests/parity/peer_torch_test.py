"""The C++ model beside PyTorch itself, live (label peers-torch). ctest names the program to drive in
VLM_PARITY_TOOL; the environment comes from scripts/deps/peers-torch.sh.
"""

import dataclasses
import os
import pathlib
import subprocess
import tempfile
import unittest

import torch
from safetensors.torch import load_file, save_file

from make_golden import SMALL, make_batch, new_model
from reference_model import Shape

TOOL = os.environ["VLM_PARITY_TOOL"]
NO_BUFFERS = ("dropout", "emb_dropout", "blk_dropout")


def tool(shape, *arguments):
    sizes = [f"--{name.replace('_', '-')}={value}"
             for name, value in dataclasses.asdict(shape).items() if name not in NO_BUFFERS]
    subprocess.run([TOOL, *sizes, *map(str, arguments)], check=True)


def relative(got, want):
    return ((got - want).abs().max() / want.abs().max().clamp_min(1e-30)).item()


class PeerTorchTest(unittest.TestCase):
    def setUp(self):
        torch.set_num_threads(1)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)

    def run_tool_on(self, shape, weights, batch):
        names = ("batch.images", "batch.tokens", "batch.targets")
        save_file(weights | dict(zip(names, batch)), self.path / "in.safetensors")
        tool(shape, "--in", self.path / "in.safetensors", "--out", self.path / "out.safetensors")
        return load_file(self.path / "out.safetensors")

    def test_our_weights_load_strictly_and_are_bit_equal_to_pytorchs(self):
        for shape, seed in ((SMALL, 77), (Shape(), 78)):
            tool(shape, "--seed", seed, "--weights", self.path / "w.safetensors")
            ours = load_file(self.path / "w.safetensors")
            peer = new_model(shape, seed)
            for name, value in peer.state_dict().items():
                self.assertTrue(torch.equal(value, ours[name]), name)
            peer.load_state_dict(ours, strict=True)

    def test_our_checkpoint_gives_equal_logits_in_pytorch(self):
        tool(SMALL, "--seed", 5, "--weights", self.path / "w.safetensors")
        ours = load_file(self.path / "w.safetensors")
        batch = make_batch(SMALL, seed=9)
        got = self.run_tool_on(SMALL, ours, batch)
        peer = new_model(SMALL, 0)
        peer.load_state_dict(ours, strict=True)
        self.assertLess(relative(got["logits"], peer(*batch[:2]).detach()), 1e-5)

    def test_pytorchs_checkpoint_gives_equal_logits_loss_and_gradients_here(self):
        for shape, length in ((SMALL, 30), (Shape(), 64)):
            peer = new_model(shape, 3)
            batch = make_batch(shape, seed=4, batch=2, length=length)
            got = self.run_tool_on(shape, {k: v.clone() for k, v in peer.state_dict().items()}, batch)
            loss = peer.loss(*batch)
            loss.backward()
            self.assertLess(relative(got["logits"], peer(*batch[:2]).detach()), 1e-5)
            self.assertLess(relative(got["loss"], loss.detach()), 1e-5)
            for name, value in peer.named_parameters():
                self.assertLess(relative(got["grad." + name], value.grad), 1e-5, name)

    def test_a_checkpoint_of_another_size_is_refused_by_name(self):
        weights = {k: v.clone() for k, v in new_model(SMALL, 0).state_dict().items()}
        weights.pop("decoder.ln_f.bias")
        with self.assertRaises(subprocess.CalledProcessError):
            self.run_tool_on(SMALL, weights, make_batch(SMALL, seed=1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
