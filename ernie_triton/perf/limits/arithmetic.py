"""Count the operations of one text's answer, from the encoder's sizes alone.

A product of an [m, k] with a [k, n] matrix takes 2·m·k·n operations, a multiplication and an
addition each (Golub and Van Loan, Matrix Computations, 1.1.11). Norms, softmax and activations grow
with the tokens alone and are left out, as is usual (Kaplan et al. 2020, "Scaling Laws for Neural
Language Models", 2.1).
"""

from collections.abc import Iterable

from ernie_triton.model_shapes import Shape


def layer_flops(shape: Shape, *, tokens: int, computed: int) -> int:
    """Count the operations of one layer.

    Args:
        shape: of the encoder.
        tokens: tokens that attention reads; each has keys and values.
        computed: tokens that the layer returns; each has queries, the projection after attention
            and the feed-forward.
    """
    hidden, wide = shape.hidden, shape.feed_forward
    keys_and_values = 2 * tokens * hidden * 2 * hidden
    queries_and_projection = 2 * computed * hidden * 2 * hidden
    # Scores, and the weighted sum of the values; all heads together are as wide as the layer.
    attention = 2 * computed * tokens * 2 * hidden
    feed_forward = 2 * computed * hidden * wide * 2
    return keys_and_values + queries_and_projection + attention + feed_forward


def text_flops(shape: Shape, *, tokens: int, labels: int) -> int:
    """Count the operations of one text's classification.

    The classifier reads the first token alone, so the last layer computes no other token. The
    pooler and the classifier follow.

    Args:
        shape: of the encoder.
        tokens: of the text, special tokens included.
        labels: outputs of the classifier.
    """
    whole = layer_flops(shape, tokens=tokens, computed=tokens)
    last = layer_flops(shape, tokens=tokens, computed=1)
    head = 2 * shape.hidden * shape.hidden + 2 * shape.hidden * labels
    return (shape.layers - 1) * whole + last + head


def mean_text_flops(shape: Shape, lengths: Iterable[int], *, labels: int) -> float:
    """Return the mean over texts of these lengths (attention grows with a length's square)."""
    flops = [text_flops(shape, tokens=int(tokens), labels=labels) for tokens in lengths]
    return sum(flops) / len(flops)
