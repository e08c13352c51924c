"""Fine-tune checkpoints on labelled data, and compress them: prune, distil, quantise.

`datasets` reads labelled files, `tasks` turns examples into rows, losses and metrics, and `loop`
trains any module on them so that a killed run can resume. `finetune` and `compression` use these
three and write checkpoints that `build` takes; `commands` are their command lines. A new file
format belongs into `datasets`, a new task into `tasks`, a new way to compress into `compression`.
"""
