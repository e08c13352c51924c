"""Present results: `ernie-triton perf report`.

`table` writes them as text, Markdown, CSV or JSON, with `notes` around it. `series` groups
measurements into lines, `plots` draws them in the `style` that all plots share. `finished_runs`
compares two runs.

A new column belongs into `table.COLUMNS`, a new plot into `plots.draw_all`.
"""
