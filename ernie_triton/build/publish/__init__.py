"""Write the pipeline's models beside the repository, then rename them into place together.

A new file of a model is written in `model_files`; a new fact of a build is a field in `manifest`.
"""
