"""Table of the supported Triton images: their TensorRT, CUDA and drivers, and the GPUs they serve.

Sources, read in 2026:

- CUDA and its driver by release: `docs/introduction/compatibility.md` of
  https://github.com/triton-inference-server/server (the rows of the vLLM image, whose base is the
  plain one of the same release).
- TensorRT 10.4 and 10.9: the same page (TensorRT-LLM's rows of 24.09 and 25.03); 10.16.1 and
  11.2.1: the "Container Versions" table of Triton's release notes,
  https://docs.nvidia.com/deeplearning/triton-inference-server/release-notes/ .
- The oldest driver of a CUDA major version: https://docs.nvidia.com/deploy/cuda-compatibility/
  minor-version-compatibility.html . Data centre GPUs may have an older one where the image's
  forward compatibility package takes over; then libcuda tells the newer CUDA version by itself.
- Compute capabilities: https://developer.nvidia.com/cuda-gpus ; 7.5 and later from 24.10 on for
  TensorRT, since TensorRT 10.5 dropped Volta (its release notes).
- Blackwell: 10.0 and 12.0 from CUDA 12.8 on, 10.3 and 12.1 from 12.9 on (the release notes of
  https://docs.nvidia.com/cuda/ ). No plan was built for one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

OLDEST_DRIVERS: Mapping[int, str] = {12: "525", 13: "580"}
"""The oldest branch of the Linux driver for each major version of CUDA."""

LAST_TENSORRT_WITH_VOLTA = (10, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class TritonImage:
    """One release of `nvcr.io/nvidia/tritonserver:<tag>-py3`.

    Attributes:
        tag: year and month.
        tensorrt: the version of TensorRT in it.
        cuda: the version of CUDA in it.
        driver: the driver that this CUDA came with; from `oldest_driver` on, others will do.
        compute_capability: the lowest that its TensorRT builds plans for.
    """

    tag: str
    tensorrt: str
    cuda: str
    driver: str
    compute_capability: str

    @property
    def cuda_major(self) -> int:
        """The major version of its CUDA, within which drivers are interchangeable."""
        return int(self.cuda.partition(".")[0])

    @property
    def oldest_driver(self) -> str:
        """The oldest driver of the host that runs it."""
        return OLDEST_DRIVERS[self.cuda_major]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuKind:
    """One model of GPU.

    Attributes:
        name: as it is sold.
        compute_capability: which kernels it runs.
        has_int8: it has INT8 tensor cores.
        oldest_cuda: the first version of CUDA that compiles for it, where some image's is older.
    """

    name: str
    compute_capability: str
    has_int8: bool
    oldest_cuda: str = "0"

    @property
    def tags(self) -> tuple[str, ...]:
        """The images that serve it."""
        return tuple(
            image.tag
            for image in IMAGES
            if version_of(image.compute_capability) <= version_of(self.compute_capability)
            and version_of(self.oldest_cuda) <= version_of(image.cuda)
        )


IMAGES = (
    TritonImage(
        tag="24.09",
        tensorrt="10.4.0",
        cuda="12.6.1",
        driver="560.35.03",
        compute_capability="7.0",
    ),
    TritonImage(
        tag="25.03",
        tensorrt="10.9.0",
        cuda="12.8.1",
        driver="570.124.06",
        compute_capability="7.5",
    ),
    TritonImage(
        tag="26.04",
        tensorrt="10.16.1",
        cuda="13.2.1",
        driver="595.58.03",
        compute_capability="7.5",
    ),
    TritonImage(
        tag="26.08",
        tensorrt="11.2.1",
        cuda="13.4.1",
        driver="615.61",
        compute_capability="7.5",
    ),
)

GPUS = (
    GpuKind(name="V100", compute_capability="7.0", has_int8=False),
    GpuKind(name="T4", compute_capability="7.5", has_int8=True),
    GpuKind(name="A100", compute_capability="8.0", has_int8=True),
    GpuKind(name="A10", compute_capability="8.6", has_int8=True),
    GpuKind(name="L4", compute_capability="8.9", has_int8=True),
    GpuKind(name="H100", compute_capability="9.0", has_int8=True),
    GpuKind(name="B200", compute_capability="10.0", has_int8=True, oldest_cuda="12.8"),
    GpuKind(name="B300", compute_capability="10.3", has_int8=True, oldest_cuda="12.9"),
    GpuKind(name="RTX PRO 6000", compute_capability="12.0", has_int8=True, oldest_cuda="12.8"),
    GpuKind(name="GB10", compute_capability="12.1", has_int8=True, oldest_cuda="12.9"),
)

VOLTA_IMAGE = IMAGES[0]
"""The last image whose TensorRT serves a V100."""

COMPUTE_CAPABILITIES = tuple(gpu.compute_capability for gpu in GPUS)
"""Compute capabilities for which a configuration names plans."""


def image_tagged(tag: str) -> TritonImage | None:
    """The image of this tag, if it is one of `IMAGES`."""
    return next((image for image in IMAGES if image.tag == tag), None)


def version_of(text: str) -> tuple[int, ...]:
    """A dotted version as numbers, for comparing."""
    return tuple(int(part) for part in text.split("."))


def sm_of(compute_capability: str) -> str:
    """`sm75` for compute capability 7.5."""
    return f"sm{compute_capability.replace('.', '')}"
