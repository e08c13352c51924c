"""Write the results as a table, as sentences, and as JSON."""

import dataclasses
import json

from ernie_triton.perf.scaling.measure import MeasuredPoint, Scaling

_GIGA = 1e9
_NOTABLE = 0.1


def scaling_table(scaling: Scaling) -> str:
    """Write every point as a Markdown table."""
    lines = [
        "| sweep | value | texts/s (range) | GFLOP/s | fitted texts/s | time over the fit |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for sweep, points in scaling.sweeps:
        for one in points:
            rows = one.point.rows
            fastest, slowest = rows / one.seconds.lowest, rows / one.seconds.highest
            fitted = rows / scaling.costs.seconds(one.point)
            lines.append(
                f"| {sweep.name} | {one.value} | {one.texts_per_s:,.0f} ({slowest:,.0f} to "
                f"{fastest:,.0f}) | {one.point.flops / one.seconds.median / _GIGA:,.0f} | "
                f"{fitted:,.0f} | {departure(scaling, one):+.0%} |"
            )
    return "\n".join(lines)


def departure(scaling: Scaling, measured: MeasuredPoint) -> float:
    """Divide the measured time of a run by the fitted time, minus 1."""
    return measured.seconds.median / scaling.costs.seconds(measured.point) - 1


def scaling_sentences(scaling: Scaling) -> str:
    """Describe the fit, the shares of the costs at each sweep's ends, and where the fit is off."""
    costs = scaling.costs
    rate = f"{1 / costs.flop_s / _GIGA:,.0f} GFLOP/s" if costs.flop_s else "no measurable cost"
    lines = [
        f"Fitted over all points ({scaling.precision}): products run at {rate}. In addition, each "
        f"layer costs {costs.layer_s * 1e6:,.0f} µs a run to start, and each token costs "
        f"{costs.token_s * 1e6:.2f} µs in each layer."
    ]
    for sweep, points in scaling.sweeps:
        first, last = points[0], points[-1]
        lines.append(
            f"{sweep.name.capitalize()} {first.value} to {last.value}: the arithmetic of a text "
            f"grows {_growth(first, last, 'arithmetic'):.1f}x, its time "
            f"{_growth(first, last, 'time'):.1f}x; {_shares(scaling, first)} at {first.value}, "
            f"{_shares(scaling, last)} at {last.value}."
        )
    off = [
        f"{sweep.name} {one.value} ({departure(scaling, one):+.0%})"
        for sweep, points in scaling.sweeps
        for one in points
        if abs(departure(scaling, one)) > _NOTABLE
    ]
    lines.append(
        f"Time departs from the fit by more than {_NOTABLE:.0%} at: {', '.join(off) or 'none'}."
    )
    return "\n".join(lines)


def scaling_json(scaling: Scaling) -> str:
    """Write everything as indented JSON."""
    content = {
        **scaling.facts,
        "precision": scaling.precision,
        "costs": dataclasses.asdict(scaling.costs),
        "sweeps": [
            {
                "name": sweep.name,
                "axis": sweep.axis,
                "points": [
                    {
                        **dataclasses.asdict(one),
                        "flops": one.point.flops,
                        "texts_per_s": one.texts_per_s,
                        "fitted_s": scaling.costs.seconds(one.point),
                    }
                    for one in points
                ],
            }
            for sweep, points in scaling.sweeps
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _growth(first: MeasuredPoint, last: MeasuredPoint, what: str) -> float:
    def of_a_text(one: MeasuredPoint) -> float:
        total = one.point.flops if what == "arithmetic" else one.seconds.median
        return total / one.point.rows

    return of_a_text(last) / of_a_text(first)


def _shares(scaling: Scaling, one: MeasuredPoint) -> str:
    costs, whole = scaling.costs, scaling.costs.seconds(one.point)
    start, tokens = costs.layers_s(one.point) / whole, costs.tokens_s(one.point) / whole
    rest = 1 - start - tokens
    return f"{rest:.0%} arithmetic, {tokens:.0%} by token, {start:.0%} starting layers"
