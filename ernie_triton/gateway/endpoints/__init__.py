"""Endpoints: one module a task, each with its request, its answer and an entry for the table."""
