"""Sample texts, which stand for what a pipeline will be asked."""

from dataclasses import dataclass
from pathlib import Path

from ernie_triton.batch import TokenBatch
from ernie_triton.errors import TextError, TextFileError
from ernie_triton.text_files import lines_of, read_text_file
from ernie_triton.tokenizer.encoder import TextEncoder

SAMPLE_TEXTS = Path(__file__).parent / "texts.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTexts:
    """Texts, or pairs, that stand for what the pipeline will be asked."""

    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None

    def row(self, index: int) -> tuple[str, ...]:
        """One text, or one pair."""
        if self.pairs is None:
            return (self.texts[index],)
        return self.texts[index], self.pairs[index]

    def encode(self, encoder: TextEncoder) -> TokenBatch:
        """All of them as one batch of tokens."""
        rows = encoder.encode(self.texts, self.pairs)
        return TokenBatch(
            input_ids=rows.input_ids, token_type_ids=rows.token_type_ids, lengths=rows.lengths
        )


def read_sample_texts(path: Path | None, *, pair: bool) -> SampleTexts:
    """Sample texts from a file, one a line; a pair is split by a tab, or made of two lines.

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
    followers = [*lines[1:], lines[0]]
    split = [line.split("\t", 1) for line in lines]
    return SampleTexts(
        texts=tuple(parts[0] for parts in split),
        pairs=tuple(
            parts[1] if len(parts) == 2 else next_line
            for parts, next_line in zip(split, followers, strict=True)
        ),
    )
