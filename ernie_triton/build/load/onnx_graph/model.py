"""The weights of a model, read from any ONNX export by following the data flow.

From the outputs backwards: the head, then each layer, then the embeddings. Names are ignored. Every
node on this path must be part of something recognised. Every side branch (shapes, positions, masks)
must give the expected numbers for small batches. Otherwise the error names the node.
"""

import dataclasses

import onnx

from ernie_triton.build.load.families import ERNIE_M_FIRST_POSITION, ERNIE_M_PAD_TOKEN_ID
from ernie_triton.build.load.onnx_graph.attention import read_attention
from ernie_triton.build.load.onnx_graph.dataflow import Dataflow
from ernie_triton.build.load.onnx_graph.embeddings import are_embeddings, read_embeddings
from ernie_triton.build.load.onnx_graph.heads import read_head
from ernie_triton.build.load.onnx_graph.hidden_state import FoundHead, first_token_source
from ernie_triton.build.load.onnx_graph.inputs import make_probe_batches
from ernie_triton.build.load.onnx_graph.linear import read_activation, read_linear, read_residual
from ernie_triton.build.load.onnx_graph.norm import read_norm
from ernie_triton.build.load.onnx_graph.reading import Reading
from ernie_triton.build.model.encoder import Encoder, Layer, Norm, with_attended_padding
from ernie_triton.build.model.heads import PointerHead
from ernie_triton.build.model.models import Model
from ernie_triton.errors import UnrecognisedGraphError


def model_from_onnx(
    graph: onnx.ModelProto, task_head: str = "sequence", default_pad_token_id: int = 0
) -> Model:
    """Read a BERT-family model.

    Args:
        graph: with its weights inside, inputs [texts, tokens], and the outputs of its task alone.
        task_head: kind of head, as `Task.head` has it.
        default_pad_token_id: for graphs that make no mask from token ids.

    Raises:
        UnrecognisedGraphError: the graph holds anything that the canonical graph does not.
    """
    flow = Dataflow(graph)
    reading = Reading(flow=flow, batches=make_probe_batches(flow))
    found = read_head(reading, task_head)
    encoder = _read_encoder(reading, found, default_pad_token_id)
    return Model(encoder=encoder, head=found.head)


def _read_encoder(reading: Reading, found: FoundHead, default_pad_token_id: int) -> Encoder:
    """Read the encoder that makes the hidden state of a head.

    Raises:
        UnrecognisedGraphError: the graph holds anything that the canonical graph does not.
    """
    layers: list[Layer] = []
    activations: set[str] = set()
    pad_ids: set[int] = set()
    norm, source = read_norm(reading, found.hidden)
    while not are_embeddings(reading, source):
        layer, activation, hidden_pad_ids, hidden = _read_layer(reading, norm, source)
        layers.insert(0, layer)
        activations.add(activation)
        pad_ids |= hidden_pad_ids
        norm, source = read_norm(reading, hidden)
    if found.pad_ids is not None and found.pad_ids != pad_ids:
        raise UnrecognisedGraphError(
            f"the head leaves out the token ids {sorted(found.pad_ids)}, but attention hides "
            f"{sorted(pad_ids)}; expected the same padding"
        )
    embeddings = read_embeddings(reading, source)
    pad_ids |= embeddings.pad_ids
    # PaddleNLP's ERNIE-M takes token 0, which is [CLS], for padding; UIE-M was trained so.
    hides_classify = pad_ids == {0} and embeddings.first_position == ERNIE_M_FIRST_POSITION
    if hides_classify and not isinstance(found.head, PointerHead):
        raise UnrecognisedGraphError(
            "the graph makes its mask of token 0, which is [CLS] and no padding in ERNIE-M; export "
            "it with an input for the mask, or build from the checkpoint"
        )
    if len(activations) != 1 or len(pad_ids) > 1:
        raise UnrecognisedGraphError(
            f"the graph has {len(layers)} layers with the activations {sorted(activations)} and "
            f"takes the token ids {sorted(pad_ids)} for padding; expected one of each"
        )
    encoder = Encoder(
        word=embeddings.word,
        position=embeddings.position,
        token_type=embeddings.token_type,
        embedding_norm=norm,
        layers=tuple(layers),
        activation=activations.pop(),
        pad_token_id=pad_ids.pop() if pad_ids else default_pad_token_id,
    )
    if not hides_classify:
        return encoder
    return with_attended_padding(dataclasses.replace(encoder, pad_token_id=ERNIE_M_PAD_TOKEN_ID))


def _read_layer(
    reading: Reading, output_norm: Norm, source: str
) -> tuple[Layer, str, frozenset[int], str]:
    """Read the layer before a norm; return it, its activation, its pad ids and its input."""
    output, beside_output = read_residual(reading, source)
    activation, widened = read_activation(reading, output.source)
    intermediate = read_linear(reading, widened)
    _check_same(reading, intermediate.source, beside_output, "feed-forward")
    attention_norm, source = read_norm(reading, beside_output)
    attention_output, beside_attention = read_residual(reading, source)
    attention = read_attention(reading, attention_output.source)
    _check_same(reading, attention.query_source, beside_attention, "attention")
    if attention.query_source != attention.source:
        # The last layer computes the first token only; the classifier reads no other.
        selected = first_token_source(reading, attention.query_source)
        _check_same(reading, selected or attention.query_source, attention.source, "attention")
    layer = Layer(
        query=attention.query,
        key=attention.key,
        value=attention.value,
        attention_output=attention_output.linear,
        attention_norm=attention_norm,
        intermediate=intermediate.linear,
        output=output.linear,
        output_norm=output_norm,
        heads=attention.heads,
    )
    return layer, activation, attention.pad_ids, attention.source


def _check_same(reading: Reading, source: str, beside: str, part: str) -> None:
    if source != beside:
        raise UnrecognisedGraphError(
            f"a {part} block reads the output of the {reading.producer(source)}, but is added to "
            f"that of the {reading.producer(beside)}; expected the same"
        )
