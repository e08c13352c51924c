"""Read what Paddle and PaddleNLP write.

`checkpoint` reads a PaddleNLP checkpoint without running its pickle. `export` converts a static
export to ONNX: it checks the parameters (`pdiparams`) and starts `convert`, a script that another
interpreter can run.
"""
