"""Measure a scenario: `ernie-triton perf run`.

`scenario` reads the TOML file. `runner` goes through the subjects, each on its `server`; `session`
goes through the loads of one subject, a `target`; `measurement` takes one figure. Meanwhile
`checker` compares answers by the rules of `answers`, and `stability` says which figures not to
trust.

A new task needs its comparison in `answers`; a new limit of stability belongs into `scenario` and
`stability`.
"""
