"""Read a model's weights from any ONNX export by following the data flow.

`model` walks from the outputs back to the inputs: the head (`heads`, `token_heads`,
`vector_head`), then each layer (`norm`, `linear`, `attention`, `mask`), then `embeddings`.
`dataflow` and `operators` compute values, `inputs` makes the batches to compute them for, and
`reading` is the walk itself. A new head is one more reader in `heads`.
"""
