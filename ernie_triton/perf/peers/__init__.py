"""Serving compared with what a team would write around ONNX Runtime without Triton, in turn.

`comparison` serves a checkpoint with our server and with each peer of `servers/`, and asks all of
them for the same texts. `http_load` asks the peers. `finished` holds the figures, and `picture`
draws them. A peer's file runs in an environment of its own, from `requirements.txt`, and imports
nothing of ours. Another peer is another file there, and its entry in `servers.PEERS`.
"""
