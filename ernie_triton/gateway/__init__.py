"""The front door: HTTP with JSON for callers, gRPC to any number of Triton servers.

The path of a request: `serving.bounded_protocol` bounds the connection, `app` finds the endpoint,
`guard` checks the key and its limits, `http` reads the body, `endpoints` turns it into a call of a
client of `ernie_triton.client`, and `problems` words what went wrong. `pipelines` knows which
pipeline is on which server. `serving` starts and watches the worker processes; `page` is the page
at `/`.

A new task is a module under `endpoints`, and its entry in `endpoints.table`.
"""
