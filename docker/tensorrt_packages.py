"""Print the Python packages that fit the TensorRT of the image, as requirements for pip.

The bindings' wheel links to `libnvinfer.so.<major>` and carries no TensorRT of its own: installed
without its dependencies it uses the image's library, so that the plans are built by the very
library that Triton's backend will load them with. A plan fits one TensorRT version only.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_LIBRARY = re.compile(r"libnvinfer\.so\.(\d+\.\d+\.\d+)")
_USUAL_FOLDERS = ("/usr/lib/x86_64-linux-gnu", "/usr/local/tensorrt/lib", "/opt/tensorrt/lib")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the requirements; returns 1 with one line where there is no TensorRT."""
    folders = list(sys.argv[1:] if argv is None else argv) or _library_folders()
    versions = {version for folder in folders for version in _versions(Path(folder))}
    if len(versions) != 1:
        found = f"TensorRT {' and '.join(sorted(versions))}" if versions else "no TensorRT"
        print(
            f"error: {found} (libnvinfer.so) in {', '.join(folders)}; expected one, as in "
            f"nvcr.io/nvidia/tritonserver:<release>-py3",
            file=sys.stderr,
        )
        return 1
    cuda = os.environ.get("CUDA_VERSION", "12").partition(".")[0]
    for package in (f"tensorrt_cu{cuda}", f"tensorrt_cu{cuda}_bindings"):
        print(f"{package}=={versions.copy().pop()}.*")
    return 0


def _library_folders() -> list[str]:
    folders = [*_USUAL_FOLDERS, *os.environ.get("LD_LIBRARY_PATH", "").split(":")]
    cached = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True).stdout
    folders += [
        str(Path(line.rpartition("=> ")[2]).parent)
        for line in cached.splitlines()
        if "libnvinfer.so" in line
    ]
    return list(dict.fromkeys(folder for folder in folders if folder))


def _versions(folder: Path) -> set[str]:
    matches = (_LIBRARY.fullmatch(path.name) for path in folder.glob("libnvinfer.so.*"))
    return {match[1] for match in matches if match}


if __name__ == "__main__":
    sys.exit(main())
