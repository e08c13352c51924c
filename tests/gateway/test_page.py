"""The page at `/`, in a real Chromium, which `make test` installs from Debian's package."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ernie_triton.gateway.guard.keys import ApiKey, digest_of_key, key_table
from ernie_triton.gateway.settings import ConnectionBounds
from tests.gateway.chromium import CHROMIUM, Chromium, Tab, chromium
from tests.gateway.fakes import URL, Caller, FakeServer, new_gateway, on_port
from tests.paths import ROOT

FOLDER = ROOT / "ernie_triton" / "gateway" / "page"
LONG = "长" * 2990 + "京，" + "😀" * 8

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

ANSWERED = """document.readyState === "complete"
    && document.getElementById("answer").getAttribute("aria-busy") === "false"
    && (document.getElementById("result").childElementCount > 0
        || !document.getElementById("problem").hidden)"""
ASKED: Mapping[str, tuple[dict[str, str], str]] = {
    "ernie_seqcls": ({"input": "b"}, "b:财经 0.7500 a:体育 0.1875 c:娱乐 0.0625"),
    "ernie_multilabel": ({"input": "ac"}, "Labels that apply c:娱乐、a:体育 Likeliest labels"),
    "ernie_regression": ({"input": "2.5 a", "pair": "x"}, "Score 2.5000"),
    "ernie_rerank": ({"query": "ab", "documents": "c\nabab\na"}, "abab 2.0000 a 0.5000 c 0.0000"),
    "ernie_cloze": ({"input": "[MASK]"}, "[MASK] 1 b 0.7500 a 0.2500"),
    "ernie_choice": (
        {"context": "ab", "question": "q", "options": "b\naab"},
        "aab Best answers b 0.2500 aab 0.7500",
    ),
    "ernie_sparse": ({"input": "abb"}, "98 1.0000 97 0.5000"),
    "ernie_colbert": ({"input": "1,0 0,1\n1,0"}, "1.000 0.500 2. 1,0 1.000 1.000"),
    "ernie_uie": ({"input": "见A", "schema": "人物"}, '见 A 人物 人物: A 0.7500 schema: "人物"'),
    "ernie_tokencls": ({"input": "😀👩‍👩‍👧见ABC与BCD😀"}, "😀👩‍👩‍👧见 ABC LOC 与 BCD PER 😀"),
    "ernie_qa": ({"question": "京", "context": LONG}, f"京 {'长' * 2990} 京 ，{'😀' * 8}"),
    "ernie_embedding": ({"input": "1 0\n1 0\n0 1"}, "1.000 1.000 0.000 2. 1 0 1.000 1.000 0.000"),
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with on_port(new_gateway({URL: FakeServer()}), ConnectionBounds()) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def opened(browser: Chromium) -> Iterator[Callable[..., Tab]]:
    """`opened(port, asked)` is a tab with the page once it has asked and has its answer."""
    tabs: list[Tab] = []

    def open_page(port: int, asked: Mapping[str, str], language: str = "en") -> Tab:
        hash_ = urlencode({**asked, "lang": language})
        tab = browser.tab(f"http://127.0.0.1:{port}/#{hash_}")
        tabs.append(tab)
        tab.wait_for(ANSWERED)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


@in_chromium
@pytest.mark.parametrize("model", ASKED)
def test_the_page_shows_the_answer_of_a_task(
    port: int, opened: Callable[..., Tab], model: str
) -> None:
    asked, shown = ASKED[model]
    tab = opened(port, {"model": model, **asked})
    assert shown in tab.text("result")
    assert tab.value("document.getElementById('problem').hidden")
    assert f"http://127.0.0.1:{port}/v1/" in tab.text("curl")
    assert "in the gateway" in tab.text("times")


@in_chromium
def test_the_page_speaks_chinese(port: int, opened: Callable[..., Tab]) -> None:
    tab = opened(port, {"model": "ernie_seqcls", "input": "b"}, "zh")
    assert tab.value("document.documentElement.lang") == "zh-CN"
    assert tab.text("ask").startswith("流水线")
    assert "耗时（毫秒）" in tab.text("times")
    assert "tokenizer 阶段（2 次平均） 1.5" in tab.text("times")


@in_chromium
def test_tokens_are_shown_with_the_place_where_the_text_is_cut(
    port: int, opened: Callable[..., Tab]
) -> None:
    tab = opened(port, {"model": "ernie_seqcls", "input": "b😀央行降", "tokens": "1"})
    tab.wait_for("document.querySelector('#shown .token') !== null")
    cut = "b 😀 央 行 ✂ the model reads no further 降"
    assert tab.text("shown") == f"The model reads 6 tokens, special ones included. {cut}"
    assert "tokens=1" in tab.value("document.getElementById('link').href")


@in_chromium
def test_everything_is_done_with_the_keyboard_alone(port: int, opened: Callable[..., Tab]) -> None:
    tab = opened(port, {"model": "ernie_seqcls", "input": "b"})
    focused = "document.activeElement.id || document.activeElement.className || 'body'"
    reached = []
    for _ in range(14):
        tab.press("Tab")
        reached.append(tab.value(focused))
    order = ["skip", "language", "pipeline", "field-input", "run", "example"]
    assert reached[: len(order)] == order
    assert {"curl", "python", "link"} <= set(reached)
    tab.value("document.getElementById('field-input').focus()")
    tab.value("document.getElementById('field-input').select()")
    tab.call("Input.insertText", text="c😀")
    tab.press("Enter", modifiers=2)
    tab.wait_for("document.getElementById('result').innerText.trim().startsWith('c:娱乐')")
    tab.value("document.querySelector('summary').focus()")
    tab.press("Enter")
    tab.wait_for("document.querySelectorAll('#shown .token').length === 2")
    tab.value("document.getElementById('language').focus()")
    tab.press("Enter")
    tab.wait_for("document.documentElement.lang === 'zh-CN'")


@in_chromium
def test_a_server_that_is_away_is_said(port: int, opened: Callable[..., Tab]) -> None:
    with on_port(new_gateway({URL: FakeServer(away=True)}), ConnectionBounds()) as away:
        assert "No pipeline answers" in opened(away, {}).text("problem")
    tab = opened(port, {"model": "ernie_regression", "input": "none", "pair": "x"})
    assert tab.text("problem").startswith("The gateway failed")


@in_chromium
def test_a_gateway_with_keys_asks_for_one(tmp_path: Path, opened: Callable[..., Tab]) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(key_table("a", ApiKey(sha256=digest_of_key("x"))), encoding="utf-8")
    with on_port(new_gateway({URL: FakeServer()}, keys=keys), ConnectionBounds()) as guarded:
        tab = opened(guarded, {})
        assert "wants an API key" in tab.text("problem")
        assert not tab.value("document.getElementById('key-field').hidden")


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
