"""Convert the FP32 graph to an engine: FP16, INT8 with calibration, and the runtime's file.

A new precision is a function in `conversion` and an entry in `ernie_triton.tasks`.
"""
