"""Vocabularies of longer pieces, so that a student reads fewer tokens."""
