"""The report of `compress`: every variant built, served, measured in turn, and told.

`variants` builds them, `measuring` serves and loads them with the tools of `perf`, `content` is the
report as data, `table` and `plots` show it, `writing` puts it into files.
"""
