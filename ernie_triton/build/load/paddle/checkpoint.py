"""PaddleNLP checkpoints: `model_state.pdparams` with `config.json` or `model_config.json`."""

from pathlib import Path

from ernie_triton.build.load.naming import PADDLENLP
from ernie_triton.build.load.paddle.pickled import read_pdparams
from ernie_triton.build.load.settings import (
    folds_case,
    parts_ideographs,
    read_config,
    vocabulary_beside,
)
from ernie_triton.build.load.source import Source, Wanted
from ernie_triton.build.load.state import model_from_state

WEIGHTS_FILE = "model_state.pdparams"


def read_paddlenlp(folder: Path, wanted: Wanted) -> Source:
    """Read a folder that `save_pretrained` of PaddleNLP wrote.

    Raises:
        UnsafePickleError: the weights' pickle asks for anything but arrays.
        CheckpointError: a file is damaged or the model is not of the BERT family, or not what is
            wanted.
    """
    config = read_config(folder)
    path = folder / WEIGHTS_FILE
    state = read_pdparams(path)
    return Source(
        kind=f"PaddleNLP checkpoint ({path.name})",
        path=folder,
        model=model_from_state(state, PADDLENLP, config, str(path), wanted),
        labels=config.labels,
        vocabulary=vocabulary_beside(folder),
        lower_case=folds_case(folder),
        tokenize_chinese_chars=parts_ideographs(folder),
        problem=config.problem,
    )
