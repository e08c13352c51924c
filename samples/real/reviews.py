"""Read shoppers' reviews, one a line, whose file tells if they are content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from samples.tasks import ClassLabel

OPINIONS = (
    ClassLabel(label="0", name="negative"),
    ClassLabel(label="1", name="positive"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A review and its opinion, in TNEWS's form."""

    text: str
    opinion: ClassLabel

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the text."""
        return (self.text,)

    def to_json(self) -> dict[str, object]:
        """Return the four keys of a TNEWS line; a review has no keywords."""
        return {
            "label": self.opinion.label,
            "label_desc": self.opinion.name,
            "sentence": self.text,
            "keywords": "",
        }


def read_reviews(files: Mapping[str, Sequence[str]]) -> list[list[Review]]:
    """Read the lines of each opinion's file, by the opinion's name; empty lines are left out."""
    return [
        [
            Review(text=" ".join(line.split()), opinion=opinion)
            for line in files[opinion.name]
            if line.strip()
        ]
        for opinion in OPINIONS
    ]
