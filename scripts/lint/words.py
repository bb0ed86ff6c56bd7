#!/usr/bin/env python3
"""Words that do not belong into a tree that others use: unfinished work and one machine's paths."""
import pathlib
import re
import subprocess
import sys

import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished work: do it, or open an issue"),
    (re.compile(r"(?<![\w.$}/~-])/(home|root|work|Users)/"), "a path of one machine"),
    (re.compile(r"[ \t]+$"), "white space at the end of the line"),
    (re.compile(r"^(<{7}|>{7}|={7})( |$)"), "a left-over of a merge"),
    (re.compile(r"\bstd::(cout|cerr)\b"), "print with std::printf or the log"),
    (re.compile(r"^\s*using namespace (?!.*literals)"), "using namespace"),
]
ONLY_CPP = {4, 5}
PATHS = 1
STREAMS = 4
MAY_PRINT = {"client/main.cc"}  # Hands the streams to the commands.
SKIP = re.compile(r"\.patch$|^scripts/lint/words\.py$")
TEXT = re.compile(r"\.(cc|h|py|sh|sbatch|md|txt|cmake|proto|ya?ml|json|service)$")


def main():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    faults = []
    for name in names:
        path = ROOT / name
        if SKIP.search(name) or not path.is_file():
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            if TEXT.search(name):  # Pictures and the like are not.
                faults.append(f"{name}: not UTF-8")
            continue
        for number, line in enumerate(text.splitlines(), 1):
            for i, (pattern, why) in enumerate(RULES):
                if i in ONLY_CPP and not name.endswith((".h", ".cc")):
                    continue
                # Made-up users live in tests, and their tools print as they like.
                if i in (PATHS, STREAMS) and name.startswith("tests/"):
                    continue
                if i == STREAMS and name in MAY_PRINT:
                    continue
                if pattern.search(line):
                    faults.append(f"{name}:{number}: {why}: {line.strip()[:80]}")
    return report.finish("words", faults, f"{len(names)} files")


if __name__ == "__main__":
    sys.exit(main())
