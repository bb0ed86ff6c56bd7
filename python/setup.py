"""Makes the gRPC stubs out of ../proto while the package is built."""
import pathlib
import shutil
import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent / "proto"
FILES = ["vlm/v1/study.proto", "vlm/v1/config.proto", "vlm/v1/control.proto"]


def generate(target):
    """Writes `target`, the package vlmctl._proto, with vlm.v1 below it."""
    import grpc_tools
    from grpc_tools import protoc
    missing = [name for name in FILES if not (PROTO / name).is_file()]
    if missing:
        raise SystemExit(f"{PROTO / missing[0]} is missing: install from a checkout of the project")
    known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    with tempfile.TemporaryDirectory() as folder:
        code = protoc.main(["protoc", f"-I{PROTO}", f"-I{known}", f"--python_out={folder}",
                            f"--grpc_python_out={folder}", *FILES])
        if code != 0:
            raise SystemExit(f"protoc ended with {code}")
        shutil.rmtree(target, ignore_errors=True)
        for source in pathlib.Path(folder).rglob("*.py"):
            # No package "vlm" at the top level of somebody's environment.
            text = source.read_text().replace("from vlm.v1 import", "from vlmctl._proto.vlm.v1 import")
            place = target / source.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    for package in (target, target / "vlm", target / "vlm" / "v1"):
        (package / "__init__.py").write_text("")


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        root = HERE if self.editable_mode else pathlib.Path(self.build_lib)
        generate(root / "vlmctl" / "_proto")


setup(cmdclass={"build_py": BuildWithStubs})
