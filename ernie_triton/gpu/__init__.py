"""NVIDIA GPUs as facts: the driver, its memory, Triton's images, and plans as files.

`driver` asks the libraries of the driver, `memory` holds buffers on the first GPU, `images` is the
table of releases and GPUs, and `plans` says whether a file fits. All but `memory` import the
standard library alone. A further GPU or Triton release is a line in `images`.
"""
