#!/usr/bin/env python3
"""clang-tidy 14 over the sources that do not need LibTorch, with a memory of what was clean.

A file that was clean is not read again until it, a header of ours it includes, its definitions or
.clang-tidy change (build/tidy-cache). Files that differ from the base branch come first.
VLM_TIDY_SECONDS (default 210) bounds a run: what is left over then is counted and waits for the
next one. VLM_TIDY_SECONDS=0 reads everything.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
CACHE = ROOT / "build/tidy-cache"
FOLDERS = ("common/", "insight/", "server/", "worker/agent/", "client/")
BUDGET_S = float(os.environ.get("VLM_TIDY_SECONDS", "210"))


def prepare():
    """compile_commands.json and the generated headers must be there."""
    if not (BUILD / "compile_commands.json").exists():
        subprocess.run(["cmake", "--preset", "release"], cwd=ROOT, check=True,
                       stdout=subprocess.DEVNULL)
    targets = subprocess.run(["ninja", "-C", str(BUILD), "-t", "targets", "all"], check=True,
                             capture_output=True, text=True).stdout
    headers = [t for t in re.findall(r"^(\S+\.pb\.h):", targets, re.M) if not t.startswith("/")]
    subprocess.run(["ninja", "-C", str(BUILD), *headers], check=True, stdout=subprocess.DEVNULL)


def closure(name, memory):
    """Text of a file and, in a fixed order, of every file of ours that it includes."""
    seen, todo = {}, [name]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        if path not in memory:
            file = ROOT / path
            memory[path] = file.read_text() if file.exists() else ""
        seen[path] = memory[path]
        for target in re.findall(r'#include "([^"]+)"', memory[path]):
            proto = re.sub(r"(\.grpc)?\.pb\.h$", ".proto", target)
            todo.append("proto/" + proto if proto != target else target)
    return [seen[p] for p in sorted(seen)]


def key_of(name, command, memory):
    digest = hashlib.sha256()
    flags = " ".join(w for w in command.split() if w.startswith(("-D", "-std")))
    for part in [(ROOT / ".clang-tidy").read_text(), flags, *closure(name, memory)]:
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def changed():
    """Files that differ from the base branch; without git history, none."""
    for base in ("origin/main", "main"):
        diff = subprocess.run(["git", "diff", "--name-only", base], cwd=ROOT, capture_output=True,
                              text=True)
        if diff.returncode == 0:
            return set(diff.stdout.split())
    return set()


def check(name):
    run = subprocess.run(["clang-tidy-14", "-p", str(BUILD), "--quiet", str(ROOT / name)], cwd=ROOT,
                         capture_output=True, text=True)
    text = "\n".join(line for line in run.stdout.splitlines()).replace(str(ROOT) + "/", "")
    if run.returncode != 0 and not text:
        text = run.stderr
    return run.returncode == 0, text


def main():
    if not shutil.which("clang-tidy-14"):
        print("tidy: error: clang-tidy-14 is not installed: run 'make deps'.", file=sys.stderr)
        return 1
    start = time.monotonic()
    prepare()
    CACHE.mkdir(parents=True, exist_ok=True)
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        name = os.path.relpath(entry["file"], ROOT)
        if name.startswith(FOLDERS):
            commands[name] = entry["command"].replace(str(ROOT), "")
    memory, keys = {}, {}
    for name, command in commands.items():
        keys[name] = key_of(name, command, memory)
    todo = [n for n in commands if not (CACHE / keys[n]).exists()]
    first = changed()
    todo.sort(key=lambda n: (n not in first, n))
    known, bad, left, done = len(commands) - len(todo), [], 0, 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        def job(name):
            if BUDGET_S and time.monotonic() - start > BUDGET_S:
                return name, None, ""
            return (name, *check(name))
        for name, clean, text in pool.map(job, todo):
            if clean is None:
                left += 1
            elif clean:
                done += 1
                (CACHE / keys[name]).touch()
            else:
                bad.append(name)
                print(text, file=sys.stderr)
    more = f", {left} left over (VLM_TIDY_SECONDS={BUDGET_S:.0f} used up)" if left else ""
    print(f"tidy: {done} files read and clean, {known} known to be clean, {len(bad)} with findings{more}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
