"""Training objectives against a teacher, which pruning, distillation and INT8 training share.

`teacher` answers batches without gradients, `signals` records what happens inside a model, `losses`
compares both sides, and `objectives` adds the losses up. A new loss belongs into `losses`; the
objective of one step alone belongs to that step's room.
"""
