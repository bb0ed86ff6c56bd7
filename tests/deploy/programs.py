"""What the built programs accept, as the tests of deploy/ ask them."""
import os
import pathlib
import re
import subprocess

BIN = pathlib.Path(os.environ["VLM_BIN_DIR"])
SOURCE = pathlib.Path(os.environ["VLM_SOURCE_DIR"])
GRPC_PORT = 7747
HTTP_PORT = 7748


def flags(program):
    """Flags that the help of a built program lists."""
    text = subprocess.run([BIN / program, "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"--[a-z][a-z-]+", text))


def flags_in(words):
    return {w.split("=")[0] for w in words if re.match(r"--[a-z]", w)}


def starts(program, words, expect, timeout_s=10):
    """Runs a program with the words until its output contains `expect`; SIGTERM then ends it with 0.

    Returns what it printed; raises AssertionError with it otherwise.
    """
    process = subprocess.Popen([BIN / program, *words], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        if expect not in line:
            process.kill()
            raise AssertionError(f"{program} printed {line!r}: {process.communicate()}")
        process.terminate()
        code = process.wait(timeout_s)
        if code != 0:
            raise AssertionError(f"{program} ended with {code} on SIGTERM")
        return line
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
