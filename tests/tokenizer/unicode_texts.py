"""Random texts of every kind of character, for tests of what reads texts."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.tokenizer.original_tokenizer import SPECIAL_TOKENS

CASES = pytest.mark.parametrize("lower_case", [True, False], ids=["uncased", "cased"])
MANY = settings(
    max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
SOME = settings(MANY, max_examples=200)

# Characters that change with their neighbours, or that two Unicode tables see differently.
TROUBLESOME = (
    "aAzZéÉßẞİıŉǰΣσςΐ\u0300\u0301\u0307\u0308\u0323\u0338\u0345\u3099\u309a\u093c\u0e33"
    "か가\u1100\u1161\u11a8\u11a9中\u9fff\u3400\U00020000\U0002b740\U0002b81e\uf900\ufa0e\U0002f800"
    "\x00\x01\t\n\r\x0b\x0c\x1c\x1f\x7f\x85\u00a0\u00ad\u200b\u200d\u2028\u2029\u202f\u3000\ufe0f"
    "\ufffd\ue000\u0378\uffff\u2126\u212a\u2329\u232a\u037e\u0387\u1fef\u2000"
    "#[]$^`.,、。①😀👍🏽🇨🇳ｶﾞＡ１\u0640\u06dd\u0890\u180e\u2e52\u2e5d\u061d\U00011fff"
)


def texts_of(alphabet: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.one_of(alphabet, alphabet, alphabet, st.sampled_from((*SPECIAL_TOKENS, " ")))
    return st.lists(parts, max_size=24).map("".join)


any_text = texts_of(
    st.one_of(
        st.sampled_from(TROUBLESOME),
        st.characters(exclude_categories=["Cs"]),
        st.characters(categories=("Mn", "Mc", "Lu", "Lt", "Lm", "Po", "So", "Nl")),
        st.characters(min_codepoint=0x21, max_codepoint=0x7E),
        st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF),
    )
)


MIXED = (
    *(
        "北京",
        "天",
        "涨价",
        "的",
        "iPhone12",
        "a",
        "The",
        "30",
        "3.14",
        " ",
        "\t",
        "\u3000",
        "\r\n",
    ),
    *(
        "３０％",
        "Ａｂ",
        "é",
        "e\u0301",
        "Å",
        "A\u030a",
        "İ",
        "ß",
        "Σ",
        "ﬁ",
        "한글",
        "\u1112\u1161\u11ab",
    ),
    *("か\u3099", "ｶﾞ", "\uf900", "\U00020000", "😀", "👍🏽", "👩\u200d👧", "❤\ufe0f", "①", "℃"),
    *(
        "\u200b",
        "\x00",
        "\ufffd",
        "\u00ad",
        "\x0b",
        "，",
        "!",
        "“",
        "[",
        "#",
        "[SEP]",
        "[MASK]",
        "\u0e01\u0e33",
    ),
)
"""Parts of real texts, each a word or more alone, or joined to its neighbours."""

mixed_text = st.lists(st.sampled_from(MIXED), max_size=20).map("".join)
