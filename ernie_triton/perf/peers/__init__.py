"""Serving compared with what a team would write around ONNX Runtime without Triton, in turn.

`comparison` serves a checkpoint with our server and with each peer of `servers/`, asks all of them
for the same texts, and prints requests a second. `http_load` asks the peers. A peer's file runs in
an environment of its own, from `requirements.txt`, and imports nothing of ours. Another peer is
another file there, and its entry in `servers.PEERS`.
"""
