"""The Slurm script: read by bash and shellcheck, and run with an srun that shows what it is given."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import programs

SCRIPT = programs.SOURCE / "deploy/slurm/worker.sbatch"


def submit(environment, *options):
    """Runs the script as the batch node would: srun runs its command once, vlm-worker prints its
    arguments, one a line."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"srun": 'while [[ $1 == --* ]]; do shift; done\nexec "$@"\n',
                           "vlm-worker": 'printf "%s\\n" "$@"\n'}.items():
            path = pathlib.Path(folder) / name
            path.write_text("#!/bin/bash\n" + text)
            path.chmod(0o755)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "VLM_", "TMPDIR"))}
        keep["PATH"] = f"{folder}:{keep['PATH']}"
        return subprocess.run(["bash", str(SCRIPT), *options], env={**keep, **environment},
                              capture_output=True, text=True)


class SlurmTest(unittest.TestCase):
    def test_bash_and_shellcheck_find_no_fault(self):
        subprocess.run(["bash", "-n", str(SCRIPT)], check=True)
        run = subprocess.run(["shellcheck", "--shell=bash", str(SCRIPT)], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (0, ""))

    def test_starts_an_agent_that_is_named_after_its_node(self):
        run = submit({"VLM_COORDINATOR": "head:7747", "SLURM_JOB_ID": "12", "SLURMD_NODENAME": "node3",
                      "SLURM_CPUS_PER_TASK": "8"})
        words = run.stdout.splitlines()
        self.assertEqual(words[:4], ["--name", "node3", "--work-dir", "/tmp/vlm-worker-12/node3"])
        self.assertEqual(words[words.index("--coordinator") + 1], "head:7747")
        self.assertEqual(words[words.index("--threads-per-slot") + 1], "8")

    def test_leaves_the_slots_to_the_agent_when_there_are_gpus(self):
        run = submit({"VLM_COORDINATOR": "head:7747", "SLURM_GPUS_ON_NODE": "4"})
        self.assertNotIn("--slots", run.stdout.splitlines())

    def test_passes_options_on(self):
        run = submit({"VLM_COORDINATOR": "head:7747"}, "--log-level", "debug")
        self.assertEqual(run.stdout.splitlines()[-2:], ["--log-level", "debug"])

    def test_flags_are_those_of_the_agent(self):
        run = submit({"VLM_COORDINATOR": "head:7747"})
        used = programs.flags_in(run.stdout.splitlines())
        self.assertIn("--coordinator", used)
        self.assertLessEqual(used, programs.flags("vlm-worker"))

    def test_says_what_is_missing(self):
        run = submit({})
        self.assertEqual(run.returncode, 2)
        self.assertIn("VLM_COORDINATOR", run.stderr)

    def test_asks_for_the_signal_before_the_end(self):
        seconds = int(re.search(r"^#SBATCH --signal=TERM@(\d+)$", SCRIPT.read_text(), re.M).group(1))
        unit = (programs.SOURCE / "deploy/systemd/vlm-worker.service").read_text()
        self.assertGreaterEqual(seconds, int(re.search(r"TimeoutStopSec=(\d+)", unit).group(1)))


if __name__ == "__main__":
    unittest.main()
