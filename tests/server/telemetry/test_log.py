"""The reason of a failed start, from logs that tritonserver 2.51.0 printed over broken models.

The excerpts are its own lines, with the repository's path and the tables left out.
"""

from __future__ import annotations

import pytest

from ernie_triton.server.telemetry.log import failure_reason, is_error

HARMLESS = r"""
E1121 23:36:39.777562 26467 server.cc:241] "CudaDriverHelper has not been initialized."
I1121 23:36:40.113020 26467 model_lifecycle.cc:473] "loading: ernie_seqcls_engine:1"
Error: Failed to initialize NVML
W1121 23:36:42.114783 26467 metrics.cc:798] "DCGM unable to start: DCGM initialization error"
"""

MISSING_ENGINE = r"""
I1121 23:36:41.888241 26467 pb_stub.cc:366] "Failed to initialize Python stub: TritonModelException: the engine /models/ernie_seqcls_engine/1/model.xml is missing; rebuild the pipeline\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n"
E1121 23:36:42.029465 26467 backend_model.cc:692] "ERROR: Failed to create instance: TritonModelException: the engine /models/ernie_seqcls_engine/1/model.xml is missing; rebuild the pipeline\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n"
E1121 23:36:42.029752 26467 model_lifecycle.cc:642] "failed to load 'ernie_seqcls_engine' version 1: Internal: TritonModelException: the engine /models/ernie_seqcls_engine/1/model.xml is missing; rebuild the pipeline\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n"
I1121 23:36:42.029806 26467 model_lifecycle.cc:777] "failed to load 'ernie_seqcls_engine'"
E1121 23:36:42.112883 26467 model_repository_manager.cc:703] "Invalid argument: ensemble 'ernie_seqcls' depends on 'ernie_seqcls_engine' which has no loaded version. Model 'ernie_seqcls_engine' loading failed with error: version 1 is at UNAVAILABLE state: Internal: TritonModelException: the engine /models/ernie_seqcls_engine/1/model.xml is missing; rebuild the pipeline\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n;"
error: creating server: Invalid argument - load failed for model 'ernie_seqcls': ensemble 'ernie_seqcls' depends on 'ernie_seqcls_engine' which has no loaded version. Model 'ernie_seqcls_engine' loading failed with error: version 1 is at UNAVAILABLE state: Internal: TritonModelException: the engine /models/ernie_seqcls_engine/1/model.xml is missing; rebuild the pipeline

At:
  /site/ernie_triton/backends/stage.py(57): initialize
;
"""  # noqa: E501

TWO_MODELS = r"""
E1121 23:36:58.636291 27054 model_lifecycle.cc:642] "failed to load 'ernie_seqcls_tokenizer' version 1: Internal: TritonModelException: the vocabulary /models/ernie_seqcls_tokenizer/1/vocab.txt cannot be read: [Errno 2] No such file or directory: '/models/ernie_seqcls_tokenizer/1/vocab.txt'\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n"
E1121 23:36:59.200526 27054 model_lifecycle.cc:642] "failed to load 'ernie_seqcls_postprocess' version 1: Internal: TritonModelException: the engine returns 15 scores but there are 2 label names (a, b, …); name the labels of the checkpoint that was exported\n\nAt:\n  /site/ernie_triton/backends/stage.py(57): initialize\n"
"""  # noqa: E501

BROKEN_IMPORT = r"""
I1121 23:37:02.366689 27229 pb_stub.cc:298]  Failed to initialize Python stub for auto-complete: ModuleNotFoundError: No module named 'ernie_triton.backends.engin'

At:
  /models/ernie_seqcls_engine/1/model.py(1): <module>
E1121 23:37:02.377733 27213 model_lifecycle.cc:642] "failed to load 'ernie_seqcls_engine' version 1: Internal: ModuleNotFoundError: No module named 'ernie_triton.backends.engin'\n\nAt:\n  /models/ernie_seqcls_engine/1/model.py(1): <module>\n  <frozen importlib._bootstrap>(241): _call_with_frames_removed\n"
"""  # noqa: E501

BROKEN_CONFIG = r"""
[libprotobuf ERROR /tmp/tritonbuild/protobuf/text_format.cc:337] Error parsing text-format inference.ModelConfig: 2:10: Message type "inference.ModelConfig" has no field named "max_batch".
E1121 23:37:06.945990 27331 model_repository_manager.cc:1460] "Poll failed for model directory 'ernie_seqcls_engine': failed to read text proto from /models/ernie_seqcls_engine/config.pbtxt"
E1121 23:37:06.946376 27331 model_repository_manager.cc:703] "Invalid argument: ensemble ernie_seqcls contains models that are not available or ambiguous: ernie_seqcls_engine"
error: creating server: Invalid argument - load failed for model 'ernie_seqcls': ensemble ernie_seqcls contains models that are not available or ambiguous: ernie_seqcls_engine
"""  # noqa: E501

UNKNOWN_MODEL = r"""
E1121 23:37:15.977083 27557 model_repository_manager.cc:1415] "failed to poll model 'nosuch': model not found in any model repository."
error: creating server: Internal - failed to load all models
"""  # noqa: E501

PORT_TAKEN = r"""
I1121 23:37:24.382711 27701 server.cc:677]
E1121 23:37:24.383923270   27701 chttp2_server.cc:1060]                UNKNOWN:No address added out of total 1 resolved for '127.0.0.1:43949' {created_time:"2026-11-21T23:37:24.383854797+00:00"}
E1121 23:37:24.387687 27701 main.cc:245] "failed to start GRPC service: Unavailable - Socket '127.0.0.1:43949' already in use "
"""  # noqa: E501

READY = r"""
I1121 23:36:42.112883 26467 model_lifecycle.cc:839] "successfully loaded 'ernie_seqcls'"
I1121 23:36:42.387687 26467 grpc_server.cc:2558] "Started GRPCInferenceService at 127.0.0.1:8001"
"""


def lines(excerpt: str) -> list[str]:
    return [*HARMLESS.strip().splitlines(), *excerpt.strip().splitlines()]


@pytest.mark.parametrize(
    ("excerpt", "reason"),
    [
        pytest.param(
            MISSING_ENGINE,
            "model ernie_seqcls_engine: the engine /models/ernie_seqcls_engine/1/model.xml is "
            "missing; rebuild the pipeline",
            id="missing engine",
        ),
        pytest.param(
            TWO_MODELS,
            "model ernie_seqcls_tokenizer: the vocabulary /models/ernie_seqcls_tokenizer/1/"
            "vocab.txt cannot be read: [Errno 2] No such file or directory: "
            "'/models/ernie_seqcls_tokenizer/1/vocab.txt'; "
            "model ernie_seqcls_postprocess: the engine returns 15 scores but there are 2 label "
            "names (a, b, …); name the labels of the checkpoint that was exported",
            id="two models",
        ),
        pytest.param(
            BROKEN_IMPORT,
            "model ernie_seqcls_engine: ModuleNotFoundError: No module named "
            "'ernie_triton.backends.engin'",
            id="broken import",
        ),
        pytest.param(
            BROKEN_CONFIG,
            "model ernie_seqcls_engine: failed to read text proto from "
            "/models/ernie_seqcls_engine/config.pbtxt",
            id="broken configuration",
        ),
        pytest.param(
            UNKNOWN_MODEL,
            "model nosuch: model not found in any model repository.",
            id="unknown model",
        ),
        pytest.param(
            PORT_TAKEN,
            "failed to start GRPC service: Unavailable - Socket '127.0.0.1:43949' already in use",
            id="port taken",
        ),
    ],
)
def test_the_reason_is_the_models_own_in_one_line(excerpt: str, reason: str) -> None:
    assert failure_reason(lines(excerpt)) == reason


@pytest.mark.parametrize("excerpt", [MISSING_ENGINE, TWO_MODELS, BROKEN_IMPORT, PORT_TAKEN])
def test_the_reason_names_no_line_of_our_code(excerpt: str) -> None:
    reason = failure_reason(lines(excerpt))
    assert "stage.py" not in reason
    assert "At:" not in reason
    assert "\n" not in reason


def test_a_log_without_a_known_failure_gives_its_last_line() -> None:
    assert failure_reason(["tritonserver: error while loading shared libraries: libb64.so.0d"]) == (
        "tritonserver: error while loading shared libraries: libb64.so.0d"
    )


def test_an_empty_log_is_said_to_be_empty() -> None:
    assert failure_reason([]) == "it printed nothing"


def test_a_log_is_read_once() -> None:
    assert failure_reason(iter(lines(UNKNOWN_MODEL))).startswith("model nosuch: ")


def test_errors_are_told_from_information_and_warnings() -> None:
    assert [line for line in lines(PORT_TAKEN) if is_error(line)] == [
        lines(PORT_TAKEN)[index] for index in (0, 5, 6)
    ]
    assert is_error(lines(UNKNOWN_MODEL)[-1])
    assert not any(map(is_error, READY.strip().splitlines()))
