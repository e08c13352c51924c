"""Add the noise of real texts: typos, half-width punctuation, letter case, full-width digits."""

from collections.abc import Sequence
from random import Random

HOMOPHONES = (
    "的得 的地 在再 做作 那哪 吗嘛 已以 帐账 他她 像象 份分 即既 进近 有又 需须 坐座 值直 反返 "
    "形型 决绝 度渡 么吗 带戴 到道 是事 和合 会回 公工 明名 成城 机几 长常 年念 新心 生声 前钱 "
    "要药 用永 就旧 还环 款宽 期其 知只 后候 现先 价架 高搞 手首 开凯 行形 发法 网往 怎咋 为位 "
    "多夺 时实"
)
PROTECTED = frozenset("不没未无别非0123456789")

_PARTNERS: dict[str, str] = {}
for _pair in HOMOPHONES.split():
    _PARTNERS.setdefault(_pair[0], _pair[1])
    _PARTNERS.setdefault(_pair[1], _pair[0])
_HALF_WIDTH = str.maketrans("，？！：（）", ",?!:()")
_FULL_WIDTH_DIGITS = str.maketrans("0123456789", "０１２３４５６７８９")


def misspell(text: str, rng: Random) -> str:
    """Put one typo into a text: a homophone, a dropped, a doubled or two swapped characters.

    Negations and digits are never touched, so the meaning stays. A text without a fitting place
    comes back as it was.
    """
    kind = rng.random()
    if kind < 0.45:
        places = [i for i, char in enumerate(text) if char in _PARTNERS]
        if places:
            i = rng.choice(places)
            return text[:i] + _PARTNERS[text[i]] + text[i + 1 :]
    places = [i for i in range(1, len(text) - 1) if _is_han(text[i]) and _is_han(text[i + 1])]
    if not places:
        return text
    i = rng.choice(places)
    if kind < 0.7:
        return text[:i] + text[i + 1 :]
    if kind < 0.8:
        return text[:i] + text[i] + text[i:]
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def swap_homophone(text: str, places: Sequence[int], rng: Random) -> str:
    """Replace the character at one of the places by a homophone; the length stays."""
    fitting = [i for i in places if text[i] in _PARTNERS]
    if not fitting:
        return text
    i = rng.choice(fitting)
    return text[:i] + _PARTNERS[text[i]] + text[i + 1 :]


def restyle(text: str, rng: Random) -> str:
    """Change punctuation width, letter case or digit width, or (mostly) nothing."""
    chance = rng.random()
    if chance < 0.08:
        return text.translate(_HALF_WIDTH)
    if chance < 0.11:
        return text.lower()
    if chance < 0.13:
        return text.upper()
    if chance < 0.145:
        return text.translate(_FULL_WIDTH_DIGITS)
    if chance < 0.18:
        return text.replace("，", " ")
    return text


def _is_han(char: str) -> bool:
    return "\u4e00" <= char <= "\u9fff" and char not in PROTECTED
