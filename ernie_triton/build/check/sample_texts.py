"""Sample texts, which stand for what a pipeline will be asked."""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.errors import TextError, TextFileError
from ernie_triton.text_files import lines_of, read_text_file
from ernie_triton.tokenizer.encoder import TextEncoder

SAMPLE_TEXTS = Path(__file__).parent / "texts.txt"
SAMPLE_PROMPTS = ("人物", "时间", "地点", "组织机构", "情感倾向[正向,负向]", "公司的产品")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTexts:
    """Texts, or pairs, that stand for what the pipeline will be asked.

    Attributes:
        texts: what the engine reads first: texts, or prompts.
        pairs: what it reads beside them; None for single texts.
        schemas: the schemas that ask the prompts; None for tasks without.
    """

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    schemas: tuple[str, ...] | None = None

    def row(self, index: int) -> tuple[str, ...]:
        """The inputs of one request of the pipeline."""
        if self.pairs is not None and self.schemas is not None:
            return self.pairs[index], self.schemas[index]
        if self.pairs is None:
            return (self.texts[index],)
        return self.texts[index], self.pairs[index]

    def encode(self, encoder: TextEncoder) -> TokenBatch:
        """All of them as one batch of tokens."""
        rows = encoder.encode(self.texts, self.pairs)
        return TokenBatch(
            input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
        )


def read_sample_texts(path: Path | None, *, pair: bool, has_prompts: bool = False) -> SampleTexts:
    """Sample texts from a file, one a line; a pair is split by a tab, or made of two lines.

    Args:
        path: the file; None for ours.
        pair: read pairs.
        has_prompts: a pair is a prompt and a text; a line without a tab gets one of our prompts.

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
    if not pair:
        return SampleTexts(texts=tuple(lines), pairs=None)
    split = [line.split("\t", 1) for line in lines]
    if has_prompts:
        prompts = itertools.cycle(SAMPLE_PROMPTS)
        prompted = [parts if len(parts) == 2 else [next(prompts), *parts] for parts in split]
        return SampleTexts(
            texts=tuple(prompt for prompt, _ in prompted),
            pairs=tuple(text for _, text in prompted),
            schemas=tuple(json.dumps([prompt], ensure_ascii=False) for prompt, _ in prompted),
        )
    followers = [*lines[1:], lines[0]]
    return SampleTexts(
        texts=tuple(parts[0] for parts in split),
        pairs=tuple(
            parts[1] if len(parts) == 2 else next_line
            for parts, next_line in zip(split, followers, strict=True)
        ),
    )
