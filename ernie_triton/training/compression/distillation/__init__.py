"""Distillation: a student of any shape learns from its teacher.

`students` and `transplant` give a student the teacher's weights, `layers` is the objective of the
first stage, and `distil` runs both stages.
"""
