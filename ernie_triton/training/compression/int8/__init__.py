"""INT8 of a fine-tuned checkpoint, by rounding or by further training with rounding.

`post_training` rounds and measures, `qat` trains with the rounding of `fake_quantization`,
`quantize` runs both and chooses, and `folder` and `pipelines` write the result.
"""
