#!/usr/bin/env python3
"""Every *_test.cc is a source of some target, and no test is switched off.

A test that nobody compiles looks like a promise and is none. One that only root can run may skip for
others if it says so ("root" on the line): continuous integration runs as root.
"""
import pathlib
import re
import subprocess
import sys

import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
OFF = re.compile(r"\bGTEST_SKIP\b|\bTEST(?:_F|_P)?\(\s*\w+\s*,\s*DISABLED_|\bDISABLED_\w+Test\b")


def main():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                            "*_test.cc", "*_test.py", "*_test.sh"], cwd=ROOT, capture_output=True,
                           text=True, check=True).stdout.split()
    faults = []
    for name in names:
        path = ROOT / name
        if not path.exists():
            continue
        lists = [p / "CMakeLists.txt" for p in path.parents if p != ROOT.parent]
        text = "\n".join(re.sub(r"#.*", "", p.read_text()).replace("${CMAKE_CURRENT_SOURCE_DIR}/", "")
                         for p in lists
                         if p.exists() and ROOT in [p.parent, *p.parents])
        relative = [str(path.relative_to(p.parent)) for p in lists if ROOT in [p.parent, *p.parents]]
        if not any(re.search(rf"(?<![\w/]){re.escape(r)}(?!\w)", text) for r in relative):
            faults.append(f"{name} is in no target of a CMakeLists.txt")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            needs_root = "GTEST_SKIP" in line and re.search(r"\broot\b", line)
            if name.endswith(".cc") and OFF.search(line) and not needs_root:
                faults.append(f"{name}:{number}: a test is switched off")
    return report.finish("tests", faults, f"{len(names)} files are registered")


if __name__ == "__main__":
    sys.exit(main())
