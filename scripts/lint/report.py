"""How a check of this folder ends: its faults on stderr, or one line that says what was read."""
import sys


def finish(check, faults, summary):
    for fault in faults:
        print(f"{check}: {fault}", file=sys.stderr)
    if not faults:
        print(f"{check}: {summary}")
    return 1 if faults else 0
