"""The Containerfile: the images hold every library that the programs load, and start them rightly."""
import json
import re
import shutil
import subprocess
import unittest

import programs

TEXT = (programs.SOURCE / "deploy/containers/Containerfile").read_text().replace("\\\n", " ")
TARGETS = {"coordinator": ["vlm-coordinator"], "worker": ["vlm-worker", "vlm-trainer"],
           "vlmctl": ["vlmctl"]}
# Part of every Debian image, or (LibTorch, its CUDA parts) copied from the build.
IN_THE_IMAGE = re.compile(r"^(libc6|libstdc\+\+6|libgcc-s1|zlib1g)$")


def stage(target):
    return re.search(rf"^FROM \S+ AS {target}\n(.*?)(?=^FROM |\Z)", TEXT, re.S | re.M).group(1)


def direct_packages(program):
    """Debian packages of the libraries that a built program names itself."""
    elf = subprocess.run(["readelf", "-d", programs.BIN / program], check=True, capture_output=True,
                         text=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", elf))
    loaded = subprocess.run(["ldd", programs.BIN / program], check=True, capture_output=True,
                            text=True).stdout
    for name, path in re.findall(r"(\S+) => (\S+)", loaded):
        if name not in needed or "/torch/" in path or "/nvidia/" in path:
            continue
        for candidate in (path, path.replace("/lib/", "/usr/lib/", 1)):
            owner = subprocess.run(["dpkg-query", "-S", candidate], capture_output=True, text=True)
            if owner.returncode == 0:
                yield owner.stdout.split(":")[0]
                break
        else:
            raise AssertionError(f"{program} loads {path}, which no Debian package owns")


class ContainersTest(unittest.TestCase):
    def test_images_install_every_library_that_the_programs_name(self):
        self.assertTrue(shutil.which("dpkg-query"))
        for target, names in TARGETS.items():
            installed = set(re.findall(r"\b(?:lib|zlib|font)\S+", stage(target)))
            for program in names:
                needed = {p for p in direct_packages(program) if not IN_THE_IMAGE.match(p)}
                self.assertLessEqual(needed, installed, f"{program} in the image {target}")

    def test_images_hold_their_programs_and_run_as_no_root(self):
        for target, names in TARGETS.items():
            for program in names:
                self.assertIn(f"/usr/local/bin/{program}", stage(target))
            self.assertIn("USER vlmctl", stage(target))

    def test_commands_have_the_flags_of_the_programs(self):
        for target, names in TARGETS.items():
            words = sum((json.loads(w) for w in
                         re.findall(r"^(?:ENTRYPOINT|CMD) (\[.*\])$", stage(target), re.M)), [])
            self.assertEqual(words[0], names[0])
            self.assertLessEqual(programs.flags_in(words), programs.flags(words[0]))


if __name__ == "__main__":
    unittest.main()
