"""The page at `/`, in a real Chromium where Debian's package is installed.

apt-get install --no-install-recommends chromium-headless-shell
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ernie_triton.gateway.guard.keys import ApiKey, digest_of_key, key_table
from ernie_triton.gateway.settings import ConnectionBounds
from tests.gateway.fakes import URL, Caller, FakeServer, new_gateway, on_port
from tests.paths import ROOT

FOLDER = ROOT / "ernie_triton" / "gateway" / "page"
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
LONG = "长" * 2990 + "京，" + "😀" * 8

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

ASKED: Mapping[str, tuple[dict[str, str], str]] = {
    "ernie_seqcls": ({"input": "b"}, "b:财经 0.7500 a:体育 0.1875 c:娱乐 0.0625"),
    "ernie_multilabel": ({"input": "ac"}, "Labels that apply c:娱乐、a:体育 Likeliest labels"),
    "ernie_regression": ({"input": "2.5 a", "pair": "x"}, "Score 2.5000"),
    "ernie_rerank": ({"query": "ab", "documents": "c\nabab\na"}, "abab 2.0000 a 0.5000 c 0.0000"),
    "ernie_uie": ({"input": "见A", "schema": "人物"}, '见 A 人物 人物: A 0.7500 schema: "人物"'),
    "ernie_tokencls": ({"input": "😀👩‍👩‍👧见ABC与BCD😀"}, "😀👩‍👩‍👧见 ABC LOC 与 BCD PER 😀"),
    "ernie_qa": ({"question": "京", "context": LONG}, f"京 {'长' * 2990} 京 ，{'😀' * 8}"),
    "ernie_embedding": ({"input": "1 0\n1 0\n0 1"}, "1.000 1.000 0.000 2. 1 0 1.000 1.000 0.000"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with on_port(new_gateway({URL: FakeServer()}), ConnectionBounds()) as opened:
        yield opened


def page(port: int, asked: Mapping[str, str], language: str = "en") -> str:
    """The page's document once its request is answered."""
    assert CHROMIUM is not None
    url = f"http://127.0.0.1:{port}/#{urlencode({**asked, 'lang': language})}"
    options = ["--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *options, url], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    return done.stdout


def text_of(document: str, part: str) -> str:
    """The words of the element with this id, and of what follows it in its section."""
    inside = document.partition(f'id="{part}"')[2].partition(">")[2].partition("</section>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", inside)).split())


@in_chromium
@pytest.mark.parametrize("model", ASKED)
def test_the_page_shows_the_answer_of_a_task(port: int, model: str) -> None:
    asked, shown = ASKED[model]
    document = page(port, {"model": model, **asked})
    assert shown in text_of(document, "result")
    assert '<p id="problem" role="alert" hidden="">' in document
    assert f"http://127.0.0.1:{port}/v1/" in text_of(document, "curl")


@in_chromium
def test_the_page_speaks_chinese(port: int) -> None:
    document = page(port, {"model": "ernie_seqcls", "input": "b"}, "zh")
    assert '<html lang="zh-CN">' in document
    assert text_of(document, "ask").startswith("流水线")
    assert "耗时（毫秒）" in text_of(document, "times")


@in_chromium
def test_a_server_that_is_away_is_said(port: int) -> None:
    with on_port(new_gateway({URL: FakeServer(away=True)}), ConnectionBounds()) as away:
        assert "No pipeline answers" in text_of(page(away, {}), "problem")
    document = page(port, {"model": "ernie_regression", "input": "none", "pair": "x"})
    assert text_of(document, "problem").startswith("The gateway failed")


@in_chromium
def test_a_gateway_with_keys_asks_for_one(tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(key_table("a", ApiKey(sha256=digest_of_key("x"))), encoding="utf-8")
    with on_port(new_gateway({URL: FakeServer()}, keys=keys), ConnectionBounds()) as guarded:
        document = page(guarded, {})
    assert "wants an API key" in text_of(document, "problem")
    assert re.search(r'<label id="key-field">', document)


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    caller = Caller(new_gateway({URL: FakeServer()}))
    home = caller.get("/")
    assert home.headers["content-security-policy"].startswith("default-src 'self';")
    named = re.findall(r'(?:src|href)="([^"#]+)"', home.body.decode())
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8")
        assert set(re.findall(r"https?://[\w./]+", text)) <= {"http://www.w3.org/2000/svg"}
        named += re.findall(r'from "([^"]+)"', text)
    assert len(set(named)) > 5
    for path in named:
        assert caller.get(path).status == 200, path


def test_both_languages_have_the_same_words() -> None:
    text = (FOLDER / "words.js").read_text(encoding="utf-8")
    english, chinese = text.partition("  zh: {")[::2]
    names = [re.findall(r"(\w+): [\"{]", half) for half in (english.partition("en: {")[2], chinese)]
    assert len(names[0]) > 30
    assert names[0] == names[1]
