"""The rules of a tokenizer beside its vocabulary; most models have the ordinary ones of BERT.

Other names of the special tokens, added tokens, words that are never split, and steps that are left
out. They travel as one string parameter of the tokenizer stage, empty for the ordinary rules.
"""

import dataclasses
import json
from dataclasses import dataclass

from ernie_triton.errors import PipelineError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialNames:
    """The special tokens' own names."""

    unknown: str = "[UNK]"
    classify: str = "[CLS]"
    separate: str = "[SEP]"
    pad: str = "[PAD]"
    mask: str = "[MASK]"

    @property
    def required(self) -> tuple[str, ...]:
        """Names that every vocabulary holds; the mask may be missing."""
        return self.unknown, self.classify, self.separate, self.pad


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedToken:
    """A token that texts may spell, found before they are split into words.

    Attributes:
        content: its spelling.
        id: its id, in the vocabulary or behind it.
        keeps_case: it is found in its own case; otherwise `content` is in lower case, and is found
            in any case where the tokenizer folds case.
    """

    content: str
    id: int
    keeps_case: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """The work of a tokenizer beside looking pieces up.

    Attributes:
        names: of the special tokens.
        added: tokens beside the special ones.
        never_split: words that stay whole, and in their own case.
        basic_tokenize: False: words are what stands between spaces, as it is.
        strip_accents: None: as case is folded.
        under_accents: added tokens that do not keep their case are found under accents too, as
            the `tokenizers` library finds them.
        splits_symbols: each symbol is a word, as PaddleNLP reads texts.
        is_document: the vocabulary is a `tokenizer.json`, which says all but the names.
        splits_pieces: the document's pieces are cut further, as ERNIE-M does it.
        separators: tokens between two texts of a row.
        one_type: all texts of a row have the first token type.
        last_token: id of a token behind each row, for the padding that its tokens attend to; None
            where they attend to none.
    """

    names: SpecialNames = dataclasses.field(default_factory=SpecialNames)
    added: tuple[AddedToken, ...] = ()
    never_split: tuple[str, ...] = ()
    basic_tokenize: bool = True
    strip_accents: bool | None = None
    under_accents: bool = False
    splits_symbols: bool = False
    is_document: bool = False
    splits_pieces: bool = False
    separators: int = 1
    one_type: bool = False
    last_token: int | None = None

    def to_text(self) -> str:
        """The rules that are not the ordinary ones, as a parameter; empty for none."""
        ordinary = dataclasses.asdict(ORDINARY)
        own = {key: one for key, one in dataclasses.asdict(self).items() if one != ordinary[key]}
        return json.dumps(own, ensure_ascii=False) if own else ""

    @classmethod
    def from_text(cls, text: str) -> "TokenRules":
        """Read a parameter back.

        Raises:
            PipelineError: it is damaged, or of another version.
        """
        if not text:
            return ORDINARY
        try:
            values = json.loads(text)
            values["names"] = SpecialNames(**values.get("names", {}))
            values["added"] = tuple(AddedToken(**token) for token in values.get("added", ()))
            values["never_split"] = tuple(values.get("never_split", ()))
            return cls(**values)
        except (ValueError, TypeError, AttributeError) as error:
            raise PipelineError(
                f"the stage's parameter rules is {text[:80]!r}; expected a tokenizer's rules; "
                f"rebuild the pipeline with this version of ernie-triton"
            ) from error


ORDINARY = TokenRules()
