"""Sample texts, which stand for what a pipeline will be asked."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.errors import TextError, TextFileError
from ernie_triton.pipeline import PipelineSpec
from ernie_triton.tasks import task_named
from ernie_triton.text_files import lines_of, read_text_file
from ernie_triton.tokenizer.encoder import TextEncoder
from ernie_triton.tokenizer.vocabulary import Vocabulary

SAMPLE_TEXTS = Path(__file__).parent / "texts.txt"
SAMPLE_PROMPTS = ("人物", "时间", "地点", "组织机构", "情感倾向[正向,负向]", "公司的产品")

_MASKED_PLACE = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRules:
    """The rows to make of lines.

    Attributes:
        texts: how many a row has.
        has_prompts: a row is a prompt and a text; a line without a tab gets one of our prompts.
        mask: the token to fill in; a line without it gets one in place of a character. Empty for
            tasks without.
    """

    texts: int = 1
    has_prompts: bool = False
    mask: str = ""


def sample_rules(spec: PipelineSpec, vocabulary: Vocabulary) -> SampleRules:
    """The rules of a pipeline's sample texts."""
    task = task_named(spec.task)
    mask = vocabulary.rules.names.mask if task.head == "masked" else ""
    return SampleRules(texts=spec.row_texts, has_prompts=task.asks_again, mask=mask)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTexts:
    """Texts that stand for what the pipeline will be asked.

    Attributes:
        columns: what the engine reads, in its order: the texts of all rows, and beside them the
            second of each row, and so on.
        asked: what is asked of each text, the last column; None for tasks without.
    """

    columns: tuple[tuple[str, ...], ...]
    asked: tuple[str, ...] | None = None

    def row(self, index: int) -> tuple[str, ...]:
        """The inputs of one request of the pipeline."""
        if self.asked is not None:
            return self.columns[-1][index], self.asked[index]
        return tuple(column[index] for column in self.columns)

    def encode(self, encoder: TextEncoder) -> TokenBatch:
        """All of them as one batch of tokens."""
        rows = encoder.encode(*self.columns)
        return TokenBatch(
            input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
        )


def read_sample_texts(path: Path | None, rules: SampleRules) -> SampleTexts:
    """Sample texts from a file, one a line; tabs part those of a row, and next lines complete it.

    Args:
        path: the file; None for ours.
        rules: what a row is.

    Raises:
        TextError: the file cannot be read, or has fewer than two lines.
    """
    path = path or SAMPLE_TEXTS
    try:
        lines = [line for line in lines_of(read_text_file(path)) if line.strip()]
    except TextFileError as error:
        raise TextError(f"the file of sample texts {error}") from error
    if len(lines) < 2:
        raise TextError(f"{path} has {len(lines)} lines; expected at least 2 sample texts")
    texts = rules.texts
    split = [line.split("\t", texts - 1) if texts > 1 else [line] for line in lines]
    if rules.mask:
        masked = tuple(_with_mask(line, rules.mask) for line in lines)
        return SampleTexts(columns=(masked,), asked=("",) * len(lines))
    if rules.has_prompts:
        prompts = itertools.cycle(SAMPLE_PROMPTS)
        rows = [parts if len(parts) == 2 else [next(prompts), *parts] for parts in split]
        asked = tuple(json.dumps(row[:1], ensure_ascii=False) for row in rows)
        return SampleTexts(columns=tuple(zip(*rows, strict=True)), asked=asked)
    following = [*lines, *lines]
    rows = [
        [*parts, *following[place + 1 : place + texts]][:texts] for place, parts in enumerate(split)
    ]
    return SampleTexts(columns=tuple(zip(*rows, strict=True)))


def _with_mask(line: str, mask: str) -> str:
    """The line with a mask near its beginning, where no row is cut."""
    place = min(len(line) // 2, _MASKED_PLACE)
    return line if mask in line else f"{line[:place]}{mask}{line[place + 1 :]}"
