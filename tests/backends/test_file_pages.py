"""Pages of a mapped file can be given back, and come back when read."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np

from ernie_triton.backends.file_pages import release_file_pages

SIZE = 8 * 1024 * 1024


def resident_bytes(path: Path) -> int:
    """Sizes of the mappings of a file in this process, from Linux's counts."""
    total = 0
    inside = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        fields = line.split(maxsplit=5)
        if "-" in fields[0]:
            inside = fields[-1] == str(path)
        elif inside and fields[0] == "Rss:":
            total += int(fields[1]) * 1024
    return total


def test_a_mapped_file_s_pages_are_released_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    content = bytes(range(256)) * (SIZE // 256)
    path.write_bytes(content)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[:] == content
        assert resident_bytes(path) == SIZE
        assert release_file_pages() >= SIZE
        assert resident_bytes(path) == 0
        assert mapped[:] == content


def test_a_mapping_that_was_written_to_keeps_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(bytes(SIZE))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[:4] = b"kept"
        release_file_pages()
        assert mapped[:4] == b"kept"


def test_pages_written_before_a_mapping_became_read_only_are_kept(tmp_path: Path) -> None:
    """Pages of a library's constants, which a loader writes once and then makes read-only."""
    import ctypes

    path = tmp_path / "library.so"
    path.write_bytes(bytes(SIZE))
    mprotect = ctypes.CDLL(None).mprotect
    mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as mapped:
        mapped[:9] = b"relocated"
        address = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
        assert mprotect(address, SIZE, mmap.PROT_READ) == 0
        release_file_pages()
        assert ctypes.string_at(address, 9) == b"relocated"


def test_what_is_loaded_goes_on_working() -> None:
    random = np.random.default_rng(0)
    square = random.standard_normal((64, 64))
    before = np.linalg.inv(square)
    assert release_file_pages() > 0
    np.testing.assert_array_equal(np.linalg.inv(square), before)
