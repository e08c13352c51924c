"""Write a report of a machine with a GPU in one run: `ernie-triton perf gpu`.

`sessions` runs a graph in ONNX Runtime, and a model in PyTorch, with their data on the device.
`report` goes through shapes, precisions and layouts, and writes Markdown. Where there is no GPU,
the CPU stands in, so that every step can be tried.
"""
