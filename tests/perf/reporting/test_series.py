"""Which measurements a line of a plot joins."""

import dataclasses

from ernie_triton.perf.reporting.series import heaviest, series_of
from ernie_triton.perf.results import Measurement, RequestLoad
from tests.perf.runs import a_measurement


def with_load(load: RequestLoad) -> Measurement:
    return dataclasses.replace(a_measurement(), load=load)


def test_a_line_is_of_one_subject_by_rising_level() -> None:
    found = [
        a_measurement(subject="nano int8", level=8),
        a_measurement(subject="nano bf16", level=1),
        a_measurement(subject="nano int8", level=1),
        a_measurement(subject="nano bf16", level=32),
        a_measurement(subject="nano int8", level=2, mode="request_rate"),
    ]
    lines = series_of(found, "concurrency")
    assert [(line.name, [one.load.level for one in line.measurements]) for line in lines] == [
        ("nano int8", [1, 8]),
        ("nano bf16", [1, 32]),
    ]
    assert series_of(found, "request_rate") == []


def test_names_tell_texts_and_batches_apart_where_they_differ() -> None:
    loads = [
        RequestLoad(mode="concurrency", level=level, batch_size=size, texts=texts)
        for level in (1, 2)
        for size, texts in ((1, "titles"), (8, "titles"), (1, "long"))
    ]
    names = [line.name for line in series_of([with_load(load) for load in loads], "concurrency")]
    assert names == [
        "nano int8, titles, batch 1",
        "nano int8, titles, batch 8",
        "nano int8, long, batch 1",
    ]


def test_what_was_sent_beside_others_is_no_point_of_a_line() -> None:
    loads = [
        RequestLoad(mode="request_rate", level=10, texts="titles"),
        RequestLoad(mode="request_rate", level=20, texts="titles"),
        RequestLoad(mode="request_rate", level=20, texts="titles", beside="long"),
    ]
    (line,) = series_of([with_load(load) for load in loads], "request_rate")
    assert [one.load for one in line.measurements] == loads[:2]


def test_the_heaviest_load_is_the_highest_closed_loop_of_single_rows() -> None:
    found = [
        a_measurement(level=1),
        a_measurement(level=32),
        a_measurement(level=64, batch_size=8),
        a_measurement(level=500, mode="request_rate"),
        a_measurement(subject="nano bf16", level=300, mode="request_rate"),
    ]
    assert heaviest(found) == [found[1], found[4]]
