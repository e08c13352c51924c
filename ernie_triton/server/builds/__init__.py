"""The builds in a model repository: whole, damaged, or mixed of two.

`manifest_file` reads and seals a build's manifest, `files` lists and hashes what decides an answer,
`verification` compares the two, `unfinished` puts back what a killed build left half-done. The
command `verify` shows it. A server verifies before it loads, see `verification.check_repository`.
"""
