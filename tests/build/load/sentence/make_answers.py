"""Ask the installed sentence-transformers for the answers of `folders`, and write them beside it.

Run it with version 3.4.1 and with 6.2.0, in an environment that has torch:

    python -m tests.build.load.sentence.make_answers

Folders of a newer format than the version are left out.
"""

import json
import tempfile
from pathlib import Path

import sentence_transformers
from sentence_transformers import CrossEncoder, SentenceTransformer

from tests.build.load.sentence.folders import PAIRS, SCORE_FOLDERS, TEXTS, VECTOR_FOLDERS

_NEW_ONLY = ("new_modules", "reranker_4", "reranker_6")


def main() -> None:
    """Write the vectors and scores of every folder that this version reads."""
    version, answers = sentence_transformers.__version__, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, write in {**VECTOR_FOLDERS, **SCORE_FOLDERS}.items():
            if version < "4" and name in _NEW_ONLY:
                continue
            folder = Path(scratch, name)
            folder.mkdir()
            write(folder)
            if name in VECTOR_FOLDERS:
                found = SentenceTransformer(str(folder), device="cpu").encode(list(TEXTS))
            else:
                model = CrossEncoder(str(folder), device="cpu", max_length=40)
                found = model.predict([list(pair) for pair in PAIRS])
            answers[name] = [
                [round(float(x), 7) for x in row] for row in found.reshape(len(found), -1)
            ]
    path = Path(__file__).parent / f"answers_{version.partition('.')[0]}.json"
    path.write_text(json.dumps({"version": version, **answers}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
