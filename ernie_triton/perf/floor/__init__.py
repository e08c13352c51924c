"""What the server itself costs: models that do nothing, in the form of a pipeline.

`repository` writes them, `measure` times them beside a pipeline.
"""
