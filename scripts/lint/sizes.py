#!/usr/bin/env python3
"""Sizes: no C++ file over 400 lines (a test's: 450), no function over 70; prints median and 90th percentile.

Works on sources that clang-format wrote: a function starts at a line that ends with "{" and ends at
the first "}" of the same indentation. clang-tidy has the same rule for the folders it reads.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_MAX = 400
TEST_FILE_MAX = 450  # Read one test at a time.
FUNCTION_MAX = 70
NOT_A_FUNCTION = re.compile(r"^\s*(namespace|class|struct|enum|union|extern|\})|=\s*\{$")
ENDS_A_STATEMENT = re.compile(r"([;{}:]|^\s*//.*|^#.*|^\s*)$")


def declaration(lines, number):
    """Index of the first line of the declaration that ends in line `number` (from 0)."""
    while number > 0 and not ENDS_A_STATEMENT.search(lines[number - 1]):
        number -= 1
    return number


def functions(lines):
    """(first line number, length) of each function at namespace or class level."""
    start = indent = None
    for number, line in enumerate(lines):
        if start is not None:
            if re.match(rf"^{indent}\}}", line):
                yield start + 1, number - start + 1
                start = None
        elif line.endswith("{"):
            first = declaration(lines, number)
            text = " ".join(lines[first:number + 1])
            if "(" in text and not NOT_A_FUNCTION.search(text):
                start, indent = first, re.match(r" *", lines[first]).group()


def main():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                            "*.h", "*.cc"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split()
    sizes, faults = [], []
    for name in names:
        if not (ROOT / name).exists():
            continue
        lines = (ROOT / name).read_text().splitlines()
        sizes.append(len(lines))
        most = TEST_FILE_MAX if name.startswith("tests/") else FILE_MAX
        if len(lines) > most:
            faults.append(f"{name} has {len(lines)} lines, more than {most}: split it")
        for start, length in functions(lines):
            if length > FUNCTION_MAX:
                faults.append(f"{name}:{start}: a function of {length} lines, more than {FUNCTION_MAX}")
    for fault in faults:
        print(f"sizes: {fault}", file=sys.stderr)
    sizes.sort()
    print(f"sizes: {len(sizes)} files, median {sizes[len(sizes) // 2]} lines, "
          f"90 % have at most {sizes[len(sizes) * 9 // 10]}, the largest {sizes[-1]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
