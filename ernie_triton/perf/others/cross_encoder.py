"""Rank with sentence-transformers' CrossEncoder, in an environment of its own.

`reranking` starts this file with another Python, which has `sentence-transformers[onnx,openvino]`
and nothing of ours. It reads a line a round from standard input, and writes one: the seconds, and
every score.
"""

import json
import sys
import time


def main() -> None:
    """Load the checkpoint of the first argument with the backend of the second, then answer."""
    from sentence_transformers import CrossEncoder

    checkpoint, backend = sys.argv[1:]
    model = CrossEncoder(checkpoint, backend=backend, max_length=512)
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begin = time.perf_counter()
        found = model.rank(asked["query"], asked["documents"])
        seconds = time.perf_counter() - begin
        scores = {str(one["corpus_id"]): float(one["score"]) for one in found}
        print(json.dumps({"seconds": seconds, "scores": scores}), flush=True)


if __name__ == "__main__":
    main()
