"""Short texts with and without long ones beside them."""

import dataclasses

from ernie_triton.perf.reporting.notes import mixed_load_lines
from ernie_triton.perf.results import RequestLoad
from tests.perf.runs import a_measurement

SHORT = RequestLoad(mode="request_rate", level=95.0, texts="short", of_maximum=0.7)


def test_p99_is_compared_with_the_same_load_alone() -> None:
    alone = dataclasses.replace(a_measurement(p50_ms=10), load=SHORT)
    beside = dataclasses.replace(
        a_measurement(p50_ms=15), load=dataclasses.replace(SHORT, beside="long")
    )
    other = dataclasses.replace(beside, load=dataclasses.replace(beside.load, level=50.0))
    long = dataclasses.replace(
        beside, load=dataclasses.replace(SHORT, texts="long", beside="short")
    )
    assert list(mixed_load_lines([alone, beside, other, long])) == [
        "nano int8, 95 requests/s at 70% of the maximum, short, beside long: p99 1.50 times that "
        "of the same load alone (30.00 ms to 20.00 ms)"
    ]
