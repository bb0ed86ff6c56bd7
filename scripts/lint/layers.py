#!/usr/bin/env python3
"""The dependency rule: proto <- common <- insight <- {server, worker, client}.

Three views of it, so that no way around stays open: the #include lines, the targets that
CMakeLists.txt files link, and what the built programs load (when they are built).
"""
import pathlib
import re
import subprocess
import sys

import report

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A folder may include the folders named here, and itself. The longest prefix of a path counts.
MAY_INCLUDE = {
    "common": [],
    "insight": ["common"],
    "server": ["common", "insight"],
    "worker/agent": ["common", "insight"],
    "worker/trainer": ["common", "insight"],
    "client": ["common", "insight"],
}
OURS = ("common/", "insight/", "server/", "worker/", "client/", "tests/", "bench/")
# The heart stays free of what it must not know (design: no threads, no I/O, no gRPC).
PURE = ("server/core", "server/search")
PURE_FORBIDS = re.compile(r"grpc|sqlite|SQLite|server/(storage|rpc)/|<thread>|<mutex>|<fstream>")
# gRPC's own headers are common/channel's and the services' business.
NO_GRPC = ("insight", "worker/trainer", "server/core", "server/search", "server/storage")
NO_TORCH = ("common", "insight", "server", "worker/agent", "client")
TORCH = re.compile(r"^(torch|ATen|c10|caffe2|libkineto)\b")
GRPC = re.compile(r"^(grpc|grpcpp)/|\.grpc\.pb\.h$")
# program: (targets its link line must not reach, libraries it must not load)
PROGRAMS = {
    "vlm-coordinator": ({"vlm_torch", "PkgConfig::CAIRO"}, r"libtorch|libc10|libcairo"),
    "vlm-worker": ({"vlm_torch", "SQLite::SQLite3", "SQLiteCpp", "PkgConfig::CAIRO"},
                   r"libtorch|libc10|libsqlite|libcairo"),
    "vlm-trainer": ({"vlm_rpc", "vlm_proto_grpc", "PkgConfig::GRPCPP", "SQLiteCpp"},
                    r"libgrpc|libsqlite"),
    "vlmctl": ({"vlm_torch", "SQLiteCpp"}, r"libtorch|libc10|libsqlite"),
}


def home(path):
    """The entry of MAY_INCLUDE that a path belongs to, or None."""
    fits = [d for d in MAY_INCLUDE if path.startswith(d + "/")]
    return max(fits, key=len) if fits else None


def include_faults(path, text):
    folder = home(path)
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not found or folder is None:
            continue
        target = found.group(2)
        place = f"{path}:{number}"
        if target.startswith(OURS):
            allowed = MAY_INCLUDE[folder] + [folder]
            if not target.startswith(tuple(a + "/" for a in allowed)):
                yield f"{place}: {folder} must not include {target}"
        quoted = f"<{target}>" if found.group(1) == "<" else target
        if path.startswith(PURE) and PURE_FORBIDS.search(quoted):
            yield f"{place}: the deterministic heart must not include {target}"
        if path.startswith(NO_GRPC) and GRPC.search(target):
            yield f"{place}: {folder} must not know gRPC ({target})"
        if path.startswith(NO_TORCH) and TORCH.search(target):
            yield f"{place}: {folder} must not know LibTorch ({target})"


def link_graph():
    """target -> targets on its link lines, read from every CMakeLists.txt and cmake/*.cmake."""
    graph = {}
    call = re.compile(r"(vlm_library|vlm_executable|target_link_libraries)\s*\(([^)]*)\)", re.S)
    for file in [*ROOT.glob("**/CMakeLists.txt"), *ROOT.glob("cmake/*.cmake")]:
        if "build" in file.relative_to(ROOT).parts:
            continue
        text = re.sub(r"#.*", "", file.read_text())
        for kind, body in call.findall(text):
            words = body.split()
            name = words[words.index("NAME") + 1] if "NAME" in words else words[0]
            deps = words[1:] if kind == "target_link_libraries" else []
            for key in ("DEPS", "PRIVATE_DEPS"):
                if key in words:
                    deps += words[words.index(key) + 1:]
            graph.setdefault(name, set()).update(deps)
    return graph


def reach(graph, start):
    seen, todo = set(), [start]
    while todo:
        for target in graph.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def program_faults(graph):
    for program, (forbidden, libraries) in PROGRAMS.items():
        if program in graph:
            for target in sorted(reach(graph, program) & forbidden):
                yield f"{program} links {target}"
        binary = ROOT / "build/release/bin" / program
        if not binary.exists():
            continue
        dynamic = subprocess.run(["readelf", "-d", str(binary)], capture_output=True, text=True,
                                 check=True).stdout
        for library in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic):
            if re.match(libraries, library):
                yield f"{program} is linked against {library}"


def main():
    names = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                            "*.h", "*.cc"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split()
    faults = []
    for name in names:
        if (ROOT / name).exists():
            faults += include_faults(name, (ROOT / name).read_text())
    graph = link_graph()
    faults += program_faults(graph)
    built = [p for p in PROGRAMS if (ROOT / "build/release/bin" / p).exists()]
    return report.finish("layers", faults,
                         f"{len(names)} files, {len(graph)} targets, {len(built)} built programs")


if __name__ == "__main__":
    sys.exit(main())
