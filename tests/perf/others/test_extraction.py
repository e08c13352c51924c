"""The same texts and names for both, and every span compared by its place."""

from ernie_triton.perf.others.extraction import ExtractionLoad, answers_of


def test_texts_and_names_have_the_numbers_asked_for_and_are_the_same_every_time() -> None:
    load = ExtractionLoad(names=3, texts=2, characters=20)
    names, texts = load.asked()
    assert load.asked() == (names, texts)
    assert len(set(names)) == 3
    assert [len(text) for text in texts] == [20, 20]


def test_spans_are_known_by_their_text_name_and_characters() -> None:
    span = {"text": "王芳", "start": 0, "end": 2, "probability": 0.75}
    option = {"text": "正向", "probability": 0.5}
    found = answers_of({"seconds": 2.0, "results": [{}, {"人物": [span], "情感[正向]": [option]}]})
    assert found.seconds == 2.0
    assert found.scores == {(1, "人物", 0, 2): 0.75, (1, "情感[正向]", -1, "正向"): 0.5}
