"""Vocabularies of longer pieces, so that a student reads fewer tokens.

`merges` finds frequent pieces, `tokens` chooses the new tokens, `vocabulary` shortens a vocabulary
and writes it, and `students` lets a student learn from a teacher that reads other tokens.
"""
