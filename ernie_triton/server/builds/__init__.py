"""The builds in a model repository: whole, damaged, or mixed of two.

`manifest_file` reads and seals a build's manifest, `files` lists and hashes what decides an answer,
`verification` compares the two, `unfinished` puts back what a killed build left half-done. The
command `verify` shows it. A server verifies before it loads. It serves a `view`, whose builds
`live` exchanges while it runs; the commands `reload`, `rollback` and `builds` ask it to, through
`control_socket`.
"""
