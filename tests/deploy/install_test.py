"""make install: the programs run from where they are put, and the units are where systemd looks."""
import pathlib
import subprocess
import tempfile
import unittest

import programs

NAMES = ("vlm-coordinator", "vlm-worker", "vlm-trainer", "vlmctl")


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = pathlib.Path(cls.folder.name)
        subprocess.run(["cmake", "--install", programs.BIN.parent, "--prefix", cls.prefix], check=True,
                       capture_output=True)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_every_program_finds_its_libraries(self):
        for name in NAMES:
            run = subprocess.run([self.prefix / "bin" / name, "--version"], capture_output=True, text=True)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertRegex(run.stdout, rf"^{name} \d+\.\d+\.\d+")

    def test_units_and_their_user_are_where_systemd_looks(self):
        for name in ("vlm-coordinator.service", "vlm-worker.service"):
            self.assertTrue((self.prefix / "lib/systemd/system" / name).exists())
        user = (self.prefix / "lib/sysusers.d/vlmctl.conf").read_text()
        unit = (self.prefix / "lib/systemd/system/vlm-worker.service").read_text()
        self.assertIn("\nu vlmctl ", user)
        self.assertIn("\nUser=vlmctl\n", unit)


if __name__ == "__main__":
    unittest.main()
