"""What each kind of task brings to training: its model, tensors, loss and figures.

One module a kind; a task names its learner in `samples.recipes.RECIPES`.
"""
