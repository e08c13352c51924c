"""The server: tritonserver from its pip wheel, its supervision, and checks of TensorRT plans.

`serve` runs `embedded` from the files that `wheel` finds; `control` holds the key that opens a
server's models. `supervise` is for containers: `supervised_run` runs a `server_command` of others.
Both keep their stages alive by `supervision`, exchange `builds`, and are watched through
`telemetry`. `access_options` and `tls_front` decide who may ask. `check_plans` compares the plans
of a repository with the TensorRT and the GPUs here.
"""
