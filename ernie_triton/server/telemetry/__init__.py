"""The view from outside: the log of events, metrics of the supervisor, and traces.

`event_log` writes events and the server's own lines, which `log` reads. `metrics` counts what the
supervisor does; `metrics_endpoint` opens these counts to Prometheus. `tracing` sends traces.
`watching_options` has the options of all.
"""
