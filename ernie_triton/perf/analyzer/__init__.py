"""Drive a model with the real perf_analyzer.

`text_spec` says which texts to send and `texts` makes them; `program` finds perf_analyzer and its
libraries, `generator` runs it under one load, `output` reads its figures. `watch` records the
machine meanwhile. `load_test` takes one figure, `comparison` compares two models in turn.

A new kind of load or option of perf_analyzer belongs into `generator`.
"""
