"""Build a fine-tuned checkpoint into a Triton model repository.

The flow (`flow`): read the checkpoint (`load` to `model`), write its graph (`graph`), convert the
graph to the engine's precision (`convert`), compare the engine with the checkpoint (`check`), write
Triton's configurations (`config`) and put everything into the repository (`publish`). `tensorrt`
builds plans; `torch_models` and `random_models` make checkpoints; `commands` are the command line.

Imports go from the end of this list to its beginning: progress, whole_folder, model, load,
checkpoint_defaults, graph, torch_models, random_models, tensorrt, config, check, inputs, convert,
publish, flow, commands.
"""
