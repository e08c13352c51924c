"""Extract with PaddleNLP's Taskflow, in an environment of its own.

`extraction` starts this file with another Python, which has PaddleNLP and nothing of ours. Taskflow
exports the checkpoint and runs it with Paddle's inference engine. The file reads a line a round
from standard input, and writes one: the seconds, and the results.
"""

import json
import os
import sys
import time
from importlib import import_module


def main() -> None:
    """Load the checkpoint of the first argument; further ones: schema, length, batch, threads."""
    # scipy 1.17 cannot be loaded after Paddle 2.6, whose zlib it then finds.
    import_module("scipy.linalg")
    from paddlenlp import Taskflow

    checkpoint, schema, length, batch, threads = sys.argv[1:]
    flow = Taskflow(
        "information_extraction",
        task_path=checkpoint,
        schema=json.loads(schema),
        max_seq_len=int(length),
        batch_size=int(batch),
        num_threads=int(threads) or len(os.sched_getaffinity(0)),
        device_id=-1,
    )
    print("ready", flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        begin = time.perf_counter()
        found = flow(texts)
        seconds = time.perf_counter() - begin
        print(json.dumps({"seconds": seconds, "results": found}, default=float), flush=True)


if __name__ == "__main__":
    main()
