"""A model that reads runs of Chinese as words: what the server answers is what the model does."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from ernie_triton.cli import main as build_scripts
from ernie_triton.client.tasks.seq_cls import SeqClsClient
from ernie_triton.server.embedded import EmbeddedServer
from tests.build.load.exports import transformers_model
from tests.build.models import save_transformers
from tests.conftest import options_for
from tests.paths import FIXTURES
from tests.tokenizer.original_tokenizer import OriginalTokenizer, write_word_vocabulary

pytestmark = pytest.mark.live

PADDLE_VOCABULARY = FIXTURES / "paddle_example/vocab.txt"
LABELS = ("体育", "财经", "科技")
ODD_TEXTS = (
    "",
    "，",
    "一" * 99,
    "一" * 101,
    "iPhone12涨价30%了！",
    "新\u0301闻 公司😀好",
    "长" * 3000,
)


def titles(vocabulary: Path) -> list[str]:
    chance = random.Random(0)
    pieces = [line.removeprefix("##") for line in vocabulary.read_text("utf-8").splitlines()[5:]]
    return ["".join(chance.choices(pieces, k=chance.randint(1, 20))) for _ in range(60)]


def test_the_server_answers_as_the_checkpoint_does(tmp_path: Path) -> None:
    vocabulary = tmp_path / "words.txt"
    write_word_vocabulary(vocabulary, of=PADDLE_VOCABULARY)
    lines = vocabulary.read_text(encoding="utf-8").splitlines()
    model = transformers_model(
        "ernie",
        vocab_size=len(lines),
        max_position_embeddings=64,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        pad_token_id=lines.index("[PAD]"),
    )
    checkpoint = save_transformers(model, tmp_path / "checkpoint", vocabulary=lines)
    settings = json.dumps({"do_lower_case": True, "tokenize_chinese_chars": False})
    (checkpoint / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    repository = tmp_path / "models"
    command = ["build", "--checkpoint", str(checkpoint), "--repository", str(repository)]
    options = ["--name", "words", "--task", "seq_cls", "--max-length", "64"]
    assert build_scripts([*command, *options]) == 0

    texts = [*titles(vocabulary), *ODD_TEXTS]
    with (
        EmbeddedServer(options_for(repository)) as server,
        SeqClsClient(server.url, model="words") as client,
    ):
        together = client.classify(texts)
        alone = [client.classify([text])[0] for text in texts[-20:]]
    reference = OriginalTokenizer(vocabulary, lower_case=True, tokenize_chinese_chars=False)
    for text, found in zip([*texts, *texts[-20:]], [*together, *alone], strict=True):
        ids, types = reference.row(text, None, 64)
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])
            ).logits[0]
        expected = torch.softmax(logits, dim=-1).numpy()
        assert found.best.score == pytest.approx(expected.max(), abs=1e-4)
        assert LABELS[int(np.argmax(expected))] == found.best.name
