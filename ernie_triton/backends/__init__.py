"""The stages as models of Triton's Python backend: one module for each `1/model.py` to import.

`triton_model` passes Triton's calls on to a stage of `ernie_triton.stages`; a model's module names
the stage. A new stage that Triton is to run gets such a module here.
"""
