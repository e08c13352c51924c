"""Measure the news topics on sentences from elsewhere, some of which have no topic."""

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from ernie_triton.client.tasks.seq_cls import Label
from ernie_triton.text_files import read_text_file
from samples.errors import DataError
from samples.evaluation import local_classifier

_SURE = 0.5
_PLACES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence and the name of its topic; None where no topic is right."""

    text: str
    topic: str | None


def read_sentences(path: Path) -> list[Sentence]:
    """Read JSON lines with the keys `sentence` and `topic`.

    Raises:
        DataError: a line is of another form.
    """
    found = []
    for number, line in enumerate(read_text_file(path).splitlines(), start=1):
        try:
            record = json.loads(line)
            found.append(Sentence(text=record["sentence"], topic=record["topic"]))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(
                f'{path}:{number}: expected {{"sentence": …, "topic": a name or null}}'
            ) from error
    return found


def topic_figures(sample: str, checkpoint: Path, data: Path) -> dict[str, float]:
    """Classify sentences, and tell how often the answer is right and how sure the model is.

    Args:
        sample: the sample task whose pipeline reads the answers.
        checkpoint: a model of it.
        data: a file that `read_sentences` reads.

    Returns:
        The accuracy on sentences that have a topic. The mean probability of the answer where it
        is right, where it is wrong, and where no topic is. How many answers of each of these
        kinds have a probability of at least 0.5, and how many answers there are.

    Raises:
        CheckpointError: the folder holds no such checkpoint.
        DataError: the file is malformed.
    """
    sentences = read_sentences(data)
    answers = local_classifier(sample, checkpoint).classify([one.text for one in sentences])
    kinds: dict[str, list[float]] = {"right": [], "wrong": [], "no_topic": []}
    for sentence, answer in zip(sentences, answers, strict=True):
        kinds[_kind(sentence, answer.best)].append(answer.best.score)
    with_topic = len(kinds["right"]) + len(kinds["wrong"])
    return {
        "accuracy": round(len(kinds["right"]) / max(1, with_topic), _PLACES),
        **{f"probability_{kind}": _mean(scores) for kind, scores in kinds.items()},
        **{
            f"sure_{kind}": sum(score >= _SURE for score in scores)
            for kind, scores in kinds.items()
        },
        **{kind: len(scores) for kind, scores in kinds.items()},
    }


def _kind(sentence: Sentence, best: Label) -> str:
    if sentence.topic is None:
        return "no_topic"
    return "right" if best.name == sentence.topic else "wrong"


def _mean(scores: list[float]) -> float:
    return round(fmean(scores), _PLACES) if scores else 0.0
