"""A model as frozen dataclasses of its arrays.

Readers (`build.load`) make it, writers (`build.graph`, `build.torch_models`) and the reference of
`build.check` use it. `encoder` has the Transformer encoder, `heads` the heads of the tasks, `slim`
the student without attention, `models` what joins them. A new head goes into `heads`.
"""
