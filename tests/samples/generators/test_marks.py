from hypothesis import given
from hypothesis import strategies as st

from samples.generators.grammar import MarkedSpan, strip_marks

PLAIN = st.text(st.characters(exclude_characters="<>"), max_size=6)


def test_marks_become_spans_and_leave_the_text() -> None:
    text, spans = strip_marks("<PER:王伟>到了<LOC:北京><LOC:朝阳区>")
    assert text == "王伟到了北京朝阳区"
    assert spans == (
        MarkedSpan(kind="PER", start=0, end=2),
        MarkedSpan(kind="LOC", start=4, end=6),
        MarkedSpan(kind="LOC", start=6, end=9),
    )


# Whatever stands between the marks, each span cuts its own value out.
@given(st.lists(st.tuples(PLAIN, st.sampled_from(["PER", "LOC"]), PLAIN)), PLAIN)
def test_spans_cut_out_what_was_marked(parts: list[tuple[str, str, str]], tail: str) -> None:
    marked = "".join(f"{before}<{kind}:{inside}>" for before, kind, inside in parts) + tail
    text, spans = strip_marks(marked)
    assert text == "".join(before + inside for before, _, inside in parts) + tail
    assert [(s.kind, text[s.start : s.end]) for s in spans] == [(k, i) for _, k, i in parts]
