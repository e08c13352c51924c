"""The compiler's description of an engine, counted."""

from __future__ import annotations

from ernie_triton.build.tensorrt.layers import compiled_layers

DESCRIPTION = """Layers:
Name: Memcpy, LayerType: TrainStation, Inputs: [ { Name: a, Datatype: Half}], Constants: []
Name: ids, LayerType: kgen, Inputs: [ { Name: input_ids, Dimensions: [-1], Datatype: Int32, \
Format: x }], Constants: [], Outputs: [ { Name: b, Datatype: Half }]
Name: layer_0/query+layer_0/key, LayerType: gemm, Inputs: [ { Name: b, Dimensions: [-1,64], \
Datatype: Int8 }], Constants: [ { Name: w, Datatype: Int8 }], Outputs: [ { Datatype: Half }]
Name: layer_0/output, LayerType: gemm, Inputs: [ { Name: c, Datatype: Half }, { Name: d, \
Datatype: Int8 }], Constants: []
Name: _gemm_mha_v2_myl0_8, LayerType: kgen, Inputs: [ { Name: e, Datatype: Half }], Constants: []
Name: norm, LayerType: kgen, Inputs: [ { Name: f, Datatype: Float }], Constants: []
Name: shapes, LayerType: kgen, Inputs: [], Constants: []
Name: x, LayerType: signal, Inputs: [], Constants: []

I/O Tensors:
 Name: input_ids, IOMode: Input, DataType: Int32, Dimensions: [-1]
"""


def test_layers_are_counted_by_the_type_of_what_they_read() -> None:
    layers = compiled_layers(DESCRIPTION)
    assert layers.products == {"int8": 1, "fp16": 1}
    assert layers.others == {"fp16": 1, "fp32": 1}
    assert layers.index_layers == 2
    assert layers.count == 6


def test_no_description_has_no_layers() -> None:
    assert compiled_layers("").count == 0
