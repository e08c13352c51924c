"""Measure the objectives of this project on speed in one run: `ernie-triton perf goals`.

`models` builds what is measured. `serving` takes the figures of one shape of the family, with
`alone` for its engines without a server; `around` takes the processor time around an engine. `rows`
turns all figures into goals, `table` holds goals as data, JSON and Markdown, and `picture` draws
them. A new objective belongs into `rows.goals_from`.
"""
