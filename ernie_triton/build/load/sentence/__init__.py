"""The files of sentence-transformers beside the weights, in the formats of 2.x to 6.x.

`folder` reads `modules.json` and the files of the whole model, `modules` one module each: the
pooling, and the layers behind it. `scores` reads the activation of a cross-encoder. What is not
read is refused by name. A new kind of module is one more reader in `modules`.
"""
