"""The systemd units: read by systemd itself, and started with flags that the programs have."""
import configparser
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import programs

UNITS = {"vlm-coordinator": "vlm-coordinator.service", "vlm-worker": "vlm-worker.service"}


def unit(program):
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    parser.optionxform = str
    parser.read(programs.SOURCE / "deploy/systemd" / UNITS[program])
    return parser


class SystemdTest(unittest.TestCase):
    def test_systemd_finds_no_fault_in_the_units(self):
        self.assertTrue(shutil.which("systemd-analyze"), "install the package systemd")
        with tempfile.TemporaryDirectory() as folder:
            for program, name in UNITS.items():
                text = (programs.SOURCE / "deploy/systemd" / name).read_text()
                text = text.replace(f"ExecStart={program}", f"ExecStart={programs.BIN / program}")
                (pathlib.Path(folder) / name).write_text(text)
            run = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                                  *[str(pathlib.Path(folder) / n) for n in UNITS.values()]],
                                 capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))

    def test_flags_are_those_of_the_programs(self):
        for program in UNITS:
            words = shlex.split(unit(program)["Service"]["ExecStart"])
            self.assertEqual(words[0], program)
            used = programs.flags_in(words[1:])
            self.assertTrue(used)
            self.assertLessEqual(used, programs.flags(program))

    def test_the_coordinators_default_ports_are_the_documented_ones(self):
        environment = unit("vlm-coordinator")["Service"]["Environment"]
        self.assertIn(f"VLM_LISTEN=127.0.0.1:{programs.GRPC_PORT}", environment)
        self.assertIn(f"VLM_HTTP=127.0.0.1:{programs.HTTP_PORT}", environment)
        self.assertIn(f"VLM_WORKER_COORDINATOR=127.0.0.1:{programs.GRPC_PORT}",
                      unit("vlm-worker")["Service"]["Environment"])

    def test_the_worker_gets_more_time_than_its_trainers_take_to_drain(self):
        text = subprocess.run([programs.BIN / "vlm-worker", "--help"], check=True,
                              capture_output=True, text=True).stdout
        grace = int(re.search(r"checkpoint at SIGTERM\s+\[(\d+)\]", text).group(1))
        self.assertGreater(int(unit("vlm-worker")["Service"]["TimeoutStopSec"]), grace + 10)

    def test_variables_of_the_worker_are_those_that_it_reads(self):
        text = subprocess.run([programs.BIN / "vlm-worker", "--help"], check=True,
                              capture_output=True, text=True).stdout
        unit_text = (programs.SOURCE / "deploy/systemd/vlm-worker.service").read_text()
        for name in re.findall(r"\bVLM_WORKER_[A-Z_]+", unit_text):
            self.assertIn(name, text)

    def test_the_coordinator_starts_and_ends_as_the_unit_says(self):
        service = unit("vlm-coordinator")["Service"]
        with tempfile.TemporaryDirectory() as folder:
            words = [w.replace("${STATE_DIRECTORY}", folder).replace("${VLM_LISTEN}", "127.0.0.1:0")
                     .replace("${VLM_HTTP}", "127.0.0.1:0")
                     for w in shlex.split(service["ExecStart"])[1:] if w != "$VLM_OPTIONS"]
            programs.starts("vlm-coordinator", words, "listening on 127.0.0.1:",
                            int(service["TimeoutStopSec"]))
            self.assertTrue((pathlib.Path(folder) / "study.db").exists())

    def test_an_out_of_memory_kill_of_a_trainer_does_not_end_the_worker(self):
        self.assertEqual(unit("vlm-worker")["Service"]["OOMPolicy"], "continue")
        self.assertEqual(unit("vlm-worker")["Service"]["KillMode"], "mixed")


if __name__ == "__main__":
    unittest.main()
