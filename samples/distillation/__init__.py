"""Tiny students of a large teacher.

`students` makes one, `new_texts` more texts to learn from, and `distilled` lets the student learn
the teacher's scores of them.
"""
