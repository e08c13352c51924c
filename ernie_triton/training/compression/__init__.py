"""Make a fine-tuned checkpoint smaller and faster: prune, distil or quantise it.

`pruning`, `distillation` (with `subwords`), `slim` and `int8` each write a checkpoint that `build`
takes; `objectives` are their shared losses, `preparation` loads what they start from, and
`step_report` holds their figures. `steps` and `compress` run them one after the other. A new way to
compress is a room here and an entry in `steps.STEPS`.
"""
