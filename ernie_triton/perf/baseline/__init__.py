"""What we compare with: such a model served the way the published ERNIE example serves it.

The example is PaddleNLP's `ernie-3.0/deploy/triton_serving`: an ensemble of a Python tokenizer
stage, the exported graph, and a Python postprocess stage, with these properties, all kept here:

- each stage answers its requests one by one, without a dynamic batcher: what a client sends at once
  is a batch, what several clients send is not;
- the tokenizer is a compiled BERT tokenizer, called once for each request, which pads to the
  longest text of that request and cuts at 128 tokens;
- token ids are int64, without an attention mask beside them: tokens other than `[PAD]` are seen;
- the engine is the graph as the framework exports it, in FP32;
- softmax and argmax are NumPy.

The example's engine is Paddle's, in later versions behind FastDeploy; here it is ONNX Runtime with
its default session options but for the number of threads, which is that of our own engines: every
core. The input's name is `text`, as this project has it.
"""
