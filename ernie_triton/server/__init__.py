"""The server: tritonserver from its pip wheel, its supervision, and checks of TensorRT plans.

`serve` runs `embedded` from the files that `wheel` finds; `control` holds the key that opens a
server's models; `log` says why a server failed. `supervise` is for containers. Both are watched
through `event_log`, `tracing`, `metrics` and `metrics_endpoint`. `check_plans` compares the `plans`
of a repository with the TensorRT and the GPUs here (`gpu`, `images`). A further GPU or Triton
release is a line in `images`.
"""
