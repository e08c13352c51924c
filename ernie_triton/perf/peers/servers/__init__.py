"""The peers: small HTTP servers, each in the form that its framework's documents recommend.

Each file `<peer>_server.py` is started with a folder of graph, vocabulary and work, and a port.
"""

from collections.abc import Mapping

PEERS: Mapping[str, str] = {"fastapi": "/answer", "mosec": "/inference", "litserve": "/predict"}
"""The peers, with the path that each answers at."""
