"""Tiny students of a large teacher.

`targets` chooses the texts (`new_texts`) and gives them scores: a fine-tuned teacher's, or those of
a linear model over a base's `vectors`. `students` makes a student; `distilled` lets it learn the
scores. `request` has the settings.
"""
