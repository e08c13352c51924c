"""The one training loop: `train` in `training` trains a module by a `Schedule`.

`trainer` adapts transformers' `Trainer`, `callbacks` time its evaluations and show its progress,
`row_order` groups rows by length, `history` reads its log, and `work_folder` keeps what a killed
run resumes from. A new hyper-parameter is an attribute of `Schedule`.
"""
