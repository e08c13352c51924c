"""The stages of a pipeline: text to tokens, tokens to outputs, outputs to answers.

A stage reads one request's tensors and runs the requests of a batch together. It needs no server:
`backends` puts it into Triton, a build and a test call `answer`. Flow: `tokenizer`, `engine` (which
leaves long requests to `deferred`), `postprocess`; `joined` runs all three in one process. A new
stage is a module here with a subclass of `Stage`, and a module of the same name in `backends`.
"""
