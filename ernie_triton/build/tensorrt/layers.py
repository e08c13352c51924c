"""What the compiler made of a graph, from its own description of the engine's layers.

The description is a line for each layer, which the builder writes to its log at the highest
verbosity; the engine inspector tells the same, but needs the GPU.
"""

import re
from collections import Counter
from dataclasses import dataclass

_NO_WORK = {"signal", "wait", "shape_call", "TrainStation"}
"""Kinds of layers that only order the others."""

_KIND = re.compile(r"LayerType: (\w+)")
_TYPE = re.compile(r"Datatype: (\w+)")
_TYPES = {"Half": "fp16", "Float": "fp32", "Int8": "int8", "BFloat16": "bf16"}
_PRODUCTS = {"gemm"}
_INTEGERS = {"Int32", "Int64", "Bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledLayers:
    """Layers of a compiled engine, counted by the type of their first input.

    Attributes:
        products: matrix multiplications with a kernel of their own.
        others: everything else that computes with real numbers, fused as the compiler chose;
            attention is among them, and products that it fused with what follows.
        index_layers: layers of integers: shapes and places of tokens.
    """

    products: dict[str, int]
    others: dict[str, int]
    index_layers: int

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.products.values()) + sum(self.others.values()) + self.index_layers


def compiled_layers(description: str) -> CompiledLayers:
    """Count the layers of a description.

    Args:
        description: lines of `Name: …, LayerType: …, Inputs: [ … ], Constants: …`; others are left.
    """
    products: Counter[str] = Counter()
    others: Counter[str] = Counter()
    index_layers = 0
    for line in description.splitlines():
        kind = _KIND.search(line)
        if not line.startswith("Name: ") or kind is None or kind[1] in _NO_WORK:
            continue
        types = _TYPE.findall(line.partition(", Constants: ")[0])
        found = types[0] if types else "Int32"
        if found in _INTEGERS:
            index_layers += 1
        else:
            (products if kind[1] in _PRODUCTS else others)[_TYPES.get(found, found)] += 1
    return CompiledLayers(products=dict(products), others=dict(others), index_layers=index_layers)
