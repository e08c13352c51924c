"""A model as a sentence-transformers folder describes it, from the weights in the folder."""

import dataclasses
from pathlib import Path

from ernie_triton.build.load.sentence.description import SentenceFolder
from ernie_triton.build.load.sentence.folder import is_sentence_folder, read_sentence_folder
from ernie_triton.build.load.sentence.scores import cross_encoder_activation
from ernie_triton.build.load.source import Source, WantedHead
from ernie_triton.build.model.heads import Cut, SequenceHead, UnitLength, VectorHead
from ernie_triton.build.model.models import Model


def sentence_folder_of(path: Path) -> SentenceFolder | None:
    """Read the sentence-transformers files of a checkpoint; None where there are none.

    Args:
        path: a folder, or a file in it or in its subfolder `onnx`.

    Raises:
        CheckpointError: a file is damaged, or a module or setting is not supported.
    """
    folders = [path] if path.is_dir() else [path.parent, path.parent.parent]
    found = next((folder for folder in folders if is_sentence_folder(folder)), None)
    return read_sentence_folder(found) if found is not None else None


def wanted_of_folder(wanted: WantedHead, sentence: SentenceFolder) -> WantedHead:
    """Return the head to read, with the folder's pooling where no other is wanted."""
    return dataclasses.replace(wanted, pooling=wanted.pooling or sentence.pooling)


def with_sentence_files(
    source: Source, sentence: SentenceFolder | None, wanted: WantedHead
) -> Source:
    """Return a source with the layers behind its pooling, or the activation of its score.

    Raises:
        CheckpointError: a layer does not fit the model, or the activation is not known.
    """
    model = source.model
    if isinstance(model, Model) and isinstance(model.head, VectorHead):
        if sentence is not None and wanted.dimensions:
            sentence = _cut(sentence, wanted.dimensions)
        layers = sentence.layers if sentence is not None else ()
        if source.pooled_in_graph:
            layers = ()
        if wanted.dimensions and (sentence is None or source.pooled_in_graph):
            layers = (Cut(width=wanted.dimensions),)
        head = dataclasses.replace(model.head, layers=(*model.head.layers, *layers))
        model = dataclasses.replace(model, head=head)
        return dataclasses.replace(source, model=model, sentence=sentence)
    if isinstance(model, Model) and isinstance(model.head, SequenceHead):
        scores = model.head.output.outputs
        folder = source.path if source.path.is_dir() else source.path.parent
        found = cross_encoder_activation(folder, scores)
        problem = source.problem
        if found == "sigmoid" and scores > 1:
            problem = "multi_label_classification"
        return dataclasses.replace(source, sentence=sentence, activation=found, problem=problem)
    return dataclasses.replace(source, sentence=sentence)


def _cut(sentence: SentenceFolder, dimensions: int) -> SentenceFolder:
    """Return the folder with shorter vectors: `encode` cuts them after all modules."""
    scaled = (UnitLength(),) if sentence.normalize else ()
    layers = (*sentence.layers, *scaled, Cut(width=dimensions))
    return dataclasses.replace(sentence, layers=layers, normalize=False)
