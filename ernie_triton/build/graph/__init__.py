"""Write a model as the canonical ONNX graph.

`export` writes an encoder in the packed or padded layout, `slim` a student; `heads` writes the
outputs and `packing` the index arithmetic of packed batches. `builder` collects nodes in the number
formats of `numerics`. `cpu_int8` adapts INT8 graphs to CPU runtimes. A new head goes into `heads`.
"""
