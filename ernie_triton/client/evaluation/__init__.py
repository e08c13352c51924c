"""Evaluate a model on labelled examples, through a server or in this process.

`tasks` is the table of methods: reader, codec, scorer and metric of each task. `evaluating` applies
one over a transport; the command lines apply it to their stream. `labels`, `entities`, `answers`
and `numbers` hold the scorers with their formulas and readers, `report` the layout of reports. A
new task is a scorer and a row of `tasks`.
"""
