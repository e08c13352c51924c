"""Rank with sentence-transformers' CrossEncoder, in an environment of its own.

`reranking` starts this file with another Python, which has `sentence-transformers[onnx,openvino]`
and nothing of ours. It reads a line a round from standard input, and writes one: the seconds, and
every score.
"""

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_MAX_LENGTH = 512
_CALIBRATION_ROWS = 32
_CALIBRATION_TEXT = "这家酒店的位置很方便，房间也干净，就是早餐的种类少了一点。"
"""Ranges of inputs change scores, and no speed."""


def main() -> None:
    """Load the checkpoint of the first argument with the backend of the second, then answer."""
    from sentence_transformers import CrossEncoder

    checkpoint, backend = sys.argv[1:]
    runtime, _, quantized = backend.partition("-")
    with tempfile.TemporaryDirectory(prefix="cross-encoder-") as folder:
        options: dict[str, str] = {}
        if quantized:
            shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
            model = CrossEncoder(checkpoint, backend=runtime, max_length=_MAX_LENGTH)
            options["file_name"] = _QUANTIZE[runtime](model, folder)
            checkpoint = folder
        model = CrossEncoder(
            checkpoint, backend=runtime, max_length=_MAX_LENGTH, model_kwargs=options
        )
        _answer(model)


def _quantize_onnx(model: Any, folder: str) -> str:  # noqa: ANN401
    """Write weights in INT8 for ONNX Runtime, whose inputs are scaled at run time."""
    from sentence_transformers import export_dynamic_quantized_onnx_model

    export_dynamic_quantized_onnx_model(model, "avx512_vnni", folder, file_suffix="qint8")
    return "onnx/model_qint8.onnx"


def _quantize_openvino(model: Any, folder: str) -> str:  # noqa: ANN401
    """Write INT8 for OpenVINO, calibrated as by default, but on few texts."""
    from optimum.intel.openvino import OVQuantizationConfig
    from sentence_transformers import export_static_quantized_openvino_model

    texts = Path(folder, "texts")
    texts.mkdir()
    line = json.dumps({"text": _CALIBRATION_TEXT}) + "\n"
    Path(texts, "train.jsonl").write_text(line * _CALIBRATION_ROWS, encoding="utf-8")
    export_static_quantized_openvino_model(
        model,
        OVQuantizationConfig(num_samples=_CALIBRATION_ROWS),
        folder,
        dataset_name=str(texts),
        dataset_config_name="default",
        dataset_split="train",
        column_name="text",
        file_suffix="qint8",
    )
    return "openvino/openvino_model_qint8.xml"


_QUANTIZE = {"onnx": _quantize_onnx, "openvino": _quantize_openvino}


def _answer(model: Any) -> None:  # noqa: ANN401
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        begin = time.perf_counter()
        found = model.rank(asked["query"], asked["documents"])
        seconds = time.perf_counter() - begin
        scores = {str(one["corpus_id"]): float(one["score"]) for one in found}
        print(json.dumps({"seconds": seconds, "scores": scores}), flush=True)


if __name__ == "__main__":
    main()
