"""The alternative that pipelines are compared with: the published ERNIE example's way to serve.

The example is PaddleNLP's `ernie-3.0/deploy/triton_serving`: an ensemble of a Python tokenizer
stage, the exported graph, and a Python postprocess stage. The baseline keeps its properties:

- each stage answers its requests one by one, without a dynamic batcher. So only the rows of one
  request are a batch;
- the tokenizer is a compiled BERT tokenizer, called once for each request. It pads to the longest
  text of that request and cuts at 128 tokens;
- token ids are int64, without an attention mask; the mask is every token but `[PAD]`;
- the engine is the graph as the framework exports it, in FP32;
- softmax and argmax are NumPy.

The example's engine is Paddle, in later versions behind FastDeploy. The baseline's is ONNX Runtime
with its default session options and, as our own engines, a thread for every core. The input's name
is `text`, as in this project.

`repository` writes the models from `configs/` and `stages/`, which are data of this package: each
file of `stages/` is copied to a model's `1/model.py` and stands alone there.
"""
