"""What calls the server: typed Python clients and command lines, one pair for each task.

The flow of a call: a task's client (`seq_cls`, `multi_label`, `regression`, `token_cls`, `qa`,
`embedding`) says which tensors it needs, `core` cuts the rows into requests, repeats what is safe
to repeat and isolates a failing row, `transport` speaks gRPC. The command lines
(`*_grpc_client.py`) fill in a `job`, which `command` runs with `source` (lines in), `stream` (many
requests in flight, answers in order), `sink` (lines out) and `evaluation`.

A new task is a codec module, a script, and a scorer under `evaluation`.
"""
