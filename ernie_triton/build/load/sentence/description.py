"""The description of a sentence-transformers folder, beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.build.model.encoder import Linear
from ernie_triton.build.model.heads import VectorLayer

SENTENCE_MODEL, CROSS_ENCODER = "SentenceTransformer", "CrossEncoder"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceFolder:
    """Modules and settings of a folder, as its files describe them.

    Attributes:
        kind: `SentenceTransformer` or `CrossEncoder`.
        version: of sentence-transformers, which saved it; empty where unknown.
        transformer: the folder of the weights and the tokenizer.
        pooling: as `ernie_triton.tasks.pooling_parts` reads it; empty for a cross-encoder, and
            where a text has a vector for each token.
        token_layer: of the vector of each token, instead of a pooling.
        layers: behind the pooling, without a scaling to length 1 at the end.
        normalize: the vectors are scaled to length 1 at the end.
        max_length: most tokens of a text; 0 where only the model's positions bound it.
        lower_case: texts are lower-cased before they are tokenised.
        prompts: texts to put before others, by name.
        prompt_name: the prompt that is used unless another is asked for; None for none.
        include_prompt: the tokens of a prompt are pooled too.
        similarity: the name of the function that compares two vectors; empty where unknown.
        left_out: folders of modules that are not read, since no `modules.json` lists them.
    """

    kind: str
    version: str = ""
    transformer: Path
    pooling: str = ""
    token_layer: Linear | None = None
    layers: tuple[VectorLayer, ...] = ()
    normalize: bool = False
    max_length: int = 0
    lower_case: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    prompt_name: str | None = None
    include_prompt: bool = True
    similarity: str = ""
    left_out: tuple[str, ...] = ()
