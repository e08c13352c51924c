"""Command lines of the clients: `ernie-triton ask TASK`.

A task's module fills in a `TaskCommand`; `run` takes it from there: `options` (arguments), `items`
(lines in), `stream` (many requests in flight, answers in order), `sink` (lines out). A new task is
a module here and a row in `ernie_triton.cli`.
"""
