"""Paths of the files that the samples commit."""

from pathlib import Path

SAMPLE_DATA = Path(__file__).parent / "data"
SAMPLE_VOCABULARY = SAMPLE_DATA / "vocab.txt"
SAMPLE_SENTENCES = SAMPLE_DATA / "topics.json"
SAMPLE_RANKINGS = SAMPLE_DATA / "rankings.json"
