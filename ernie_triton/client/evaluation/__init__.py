"""How good a model is, measured through the server on labelled examples.

One module a kind of result, each with its scorer and, where the examples are not lines with the
texts' own keys, their reader; `correlation`, `answer_overlap` and `entity_spans` are the formulas.
"""
