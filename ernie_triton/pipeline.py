"""The description of a pipeline: one frozen dataclass, read strictly from TOML.

The build makes a model repository from it. Settings that the stages need at run time become
`parameters` of their configurations (`StageSettings`).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ernie_triton.errors import PipelineError
from ernie_triton.settings import DEFAULT_TEXT_BYTES
from ernie_triton.stage_names import PARTS, stage_name
from ernie_triton.strict_toml import read_described
from ernie_triton.tasks import (
    AUTO_ENGINE,
    CALIBRATORS,
    CPU_ENGINES,
    DEVICES,
    ENGINE_PRECISIONS,
    ENGINES,
    LAYOUTS,
    PRECISIONS,
    RANK_ACTIVATIONS,
    TASKS,
    pooling_parts,
    task_named,
)

SHORTEST_TEXT_TOKENS = 2
SHORTEST_WINDOW_TOKENS = 8
"""Room for a part of the text beside a question, which is cut to half of a window."""

DEFAULT_MAX_LENGTH = 128
"""Tokens of a row where neither the pipeline nor the checkpoint says how many."""

MOST_DOCUMENTS: Mapping[str, int] = {"openvino": 1024, "onnxruntime": 256, "tensorrt": 256}
"""Documents or options of a request where the pipeline does not say. Triton's own backends run all
rows of a request at once, so the attention of each takes its memory at the same time."""

MOST_MASKS = 64
"""Places to fill in of a request where the pipeline does not say; each has a score for every token
of the vocabulary."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """Rules for the server's batches, and for a request's size.

    Attributes:
        max_batch_size: most rows of one engine run, and of one request.
        max_queue_delay_us: microseconds that a request waits for others before it is tokenised; 0
            takes the requests that are there, as the later stages always do: while one batch
            runs, the next gathers.
        max_queue_size: most requests waiting for the engine; one more is refused at once. 0 is no
            bound. The tokenizer stage counts them, where the engine's stage is of this project. In
            joined stages the bound is Triton's: its batcher then gathers nothing while a batch
            runs, and misses a request that comes as a batch ends, until the next one comes or half
            a second has passed.
        max_text_bytes: most bytes of one text in UTF-8; a request with a longer one is refused.
    """

    max_batch_size: int = 64
    max_queue_delay_us: int = 0
    max_queue_size: int = 0
    max_text_bytes: int = DEFAULT_TEXT_BYTES

    def __post_init__(self) -> None:
        _at_least(1, self, "max_batch_size", "max_text_bytes")
        _at_least(0, self, "max_queue_delay_us", "max_queue_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Options of answers, each for the tasks in brackets.

    Attributes:
        overlap: tokens that windows of a long text share (token_cls, qa); 0 is a quarter of
            `max_length`.
        max_windows: most windows of one request (token_cls, qa).
        per_token: also return every word's label (token_cls).
        max_answer_tokens: longest answer (qa).
        n_best: answers in the list of the best (qa).
        no_answer_threshold: "no answer" wins if it scores more than this above the best answer
            (qa); infinite for models that always answer.
        thresholds: the probability from which a label is selected (multi_label), by label name;
            `default` for the others.
        pooling: the vector that stands for a text (embedding): one of `POOLINGS`, or several
            joined by `+`; empty as the checkpoint says.
        normalize: scale vectors to length 1 (embedding); None as the checkpoint says.
        dimensions: features of a vector to keep, from the first on (embedding); 0 as the
            checkpoint says.
        prompt: text put before every text (embedding); None for that of `prompt_name`.
        prompt_name: one of the checkpoint's prompts (embedding); empty for its default.
        position_prob: the probability that the start and the end of a span exceed (extraction).
        split_sentence: windows do not cross the end of a sentence (extraction).
        max_prompts: most rows of one request: prompts times texts times windows (extraction).
        max_schema_names: most names of a schema (extraction).
        max_schema_depth: most names under each other in a schema (extraction).
        activation: what the score goes through (regression, rerank), one of `RANK_ACTIVATIONS`;
            empty as the checkpoint says.
        max_documents: most documents (rerank), options (choice) or masks (cloze) of one request; 0
            is `MOST_DOCUMENTS` of the engine, or `MOST_MASKS`.
        rank_label: the label whose score ranks (rerank), where the model has several.
    """

    overlap: int = 0
    max_windows: int = 256
    per_token: bool = False
    max_answer_tokens: int = 64
    n_best: int = 5
    no_answer_threshold: float = math.inf
    thresholds: Mapping[str, float] = field(default_factory=dict)
    pooling: str = ""
    normalize: bool | None = None
    dimensions: int = 0
    prompt: str | None = None
    prompt_name: str = ""
    activation: str = ""
    max_documents: int = 0
    rank_label: str = ""
    position_prob: float = 0.5
    split_sentence: bool = False
    max_prompts: int = 8192
    max_schema_names: int = 256
    max_schema_depth: int = 8

    def __post_init__(self) -> None:
        _at_least(0, self, "overlap")
        _at_least(1, self, "max_windows", "max_answer_tokens", "n_best")
        _at_least(1, self, "max_prompts", "max_schema_names", "max_schema_depth")
        if not 0.0 < self.position_prob < 1.0:
            raise PipelineError(
                f"position_prob is {self.position_prob}; expected more than 0 and less than 1"
            )
        _at_least(0, self, "dimensions", "max_documents")
        if self.pooling:
            pooling_parts(self.pooling)
        if self.prompt is not None and self.prompt_name:
            raise PipelineError("prompt and prompt_name are both given; name one of the two")
        _one_of(("", *RANK_ACTIVATIONS), self, "activation")
        if math.isnan(self.no_answer_threshold):
            raise PipelineError("no_answer_threshold is not a number; expected one, or infinity")
        for label, threshold in self.thresholds.items():
            if not 0.0 <= threshold <= 1.0:
                raise PipelineError(f"the threshold of {label} is {threshold}; expected 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Rules for making an INT8 engine.

    Attributes:
        calibration: file of calibration texts, one a line; the sample texts when absent.
        calibrator: how the range of activations is chosen, one of `CALIBRATORS`.
        data: labelled lines in CLUE's format, to measure the loss of the task's metric; without
            them, the share of unchanged decisions is measured.
        allowed_loss: most points (hundredths) that the task's metric may lose.
        allowed_changes: share of the decisions that may change, without labelled data; a model
            with random weights needs more, since its decisions are arbitrary.
    """

    calibration: Path | None = None
    calibrator: str = "percentile"
    data: Path | None = None
    allowed_loss: float = 0.5
    allowed_changes: float = 0.01

    def __post_init__(self) -> None:
        _one_of(CALIBRATORS, self, "calibrator")
        _at_least(0, self, "allowed_loss", "allowed_changes")
        if self.data is not None and self.data == self.calibration:
            raise PipelineError(
                f"calibration and data are both {self.data}; calibrate on other texts than those "
                f"the loss is measured on"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRtBuild:
    """Options of TensorRT's builder.

    Attributes:
        builder_level: optimisation level, 0 (fast build) to 5 (fast plan).
        memory_mib: most GPU memory of the builder's tactics, in MiB; 0 is all there is.
        timing_cache: file that keeps tactic timings from one build to the next.
        plan: build the plan now, on this machine's GPU; otherwise leave the checked ONNX for
            `ernie-triton engine` on the machine that has one.
    """

    builder_level: int = 3
    memory_mib: int = 0
    timing_cache: Path | None = None
    plan: bool = True

    def __post_init__(self) -> None:
        _at_least(0, self, "builder_level", "memory_mib")
        if self.builder_level > 5:
            raise PipelineError(f"builder_level is {self.builder_level}; expected 0 to 5")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSpec:
    """Description of one pipeline, for a build.

    Paths are relative to the TOML file that names them, or to the working directory when they come
    from a command line. `name` defaults to the task's own model name.

    Attributes:
        checkpoint: folder or file of the source model.
        task: one of `ernie_triton.tasks.TASKS`.
        repository: the model repository to build into.
        name: its name as a model. An ensemble's stages are `<name>_tokenizer`, `_engine`,
            `_postprocess`.
        joined: one model of that name with all three stages in one process, instead of an
            ensemble; None joins them on a CPU. On a GPU our own engine stage runs joined ones, in
            containers too.
        pair: the model reads two texts at once.
        labels: file of label names; the checkpoint's own when absent.
        vocab: `vocab.txt`; the one beside the checkpoint when absent.
        texts: file of sample texts for checks and warm-up, one a line; ours when absent.
        max_length: most tokens of one row, special tokens included; longer texts are cut. 0 is
            what the checkpoint says, or `DEFAULT_MAX_LENGTH` where it says nothing. It never
            exceeds what a sentence-transformers folder says.
        engine: the runtime, one of `ENGINES`, or `AUTO_ENGINE`.
        precision: of the engine's computation, one of `PRECISIONS`.
        layout: `packed` (real tokens only) or `padded`.
        device: of ONNX Runtime in a container, `cpu` or `gpu`; TensorRT's is `gpu`.
        threads: threads of the engine; 0 takes every core.
        instances: copies of the engine that run side by side; on a GPU each takes the memory of its
            weights and activations again.
        tokenizer_instances: processes of an ensemble's first stage; 0 is one, or for a GPU a
            quarter of the cores of the machine that builds.
        postprocess_instances: the same of its last stage.
        tolerance: largest accepted difference of a logit from the source's; 0 is the precision's
            own limit.
        version: the version directory to write.
    """

    checkpoint: Path
    task: str
    repository: Path
    name: str = ""
    joined: bool | None = None
    pair: bool = False
    labels: Path | None = None
    vocab: Path | None = None
    texts: Path | None = None
    max_length: int = 0
    engine: str = AUTO_ENGINE
    precision: str = "fp32"
    layout: str = "packed"
    device: str = "cpu"
    threads: int = 0
    instances: int = 1
    tokenizer_instances: int = 0
    postprocess_instances: int = 0
    tolerance: float = 0.0
    version: int = 1
    batching: Batching = field(default_factory=Batching)
    answering: Answering = field(default_factory=Answering)
    quantization: Quantization = field(default_factory=Quantization)
    tensorrt: TensorRtBuild = field(default_factory=TensorRtBuild)

    def __post_init__(self) -> None:
        task = task_named(self.task)
        if not task.texts:
            object.__setattr__(self, "pair", True)
        task.text_inputs(pair=self.pair)
        _one_of((AUTO_ENGINE, *ENGINES), self, "engine")
        _one_of(PRECISIONS, self, "precision")
        _one_of(LAYOUTS, self, "layout")
        _one_of(DEVICES, self, "device")
        shortest = SHORTEST_TEXT_TOKENS + self.row_texts - 1
        shortest = SHORTEST_WINDOW_TOKENS if task.has_windows else shortest
        if self.max_length:
            _at_least(shortest, self, "max_length")
        _at_least(1, self, "version", "instances")
        _at_least(0, self, "threads", "tolerance", "tokenizer_instances", "postprocess_instances")
        if not self.name:
            object.__setattr__(self, "name", TASKS[self.task].default_model)
        if not _NAME.fullmatch(self.name):
            raise PipelineError(
                f"name is {self.name!r}; a model's name has letters, digits, '_', '-' and '.' only"
            )
        if len(self.name) > _LONGEST_NAME:
            raise PipelineError(
                f"name has {len(self.name)} characters; a model's name has at most "
                f"{_LONGEST_NAME}, for a folder's name has at most 255"
            )
        able = [name for name, known in ENGINE_PRECISIONS.items() if self.precision in known]
        if self.engine not in (AUTO_ENGINE, *able):
            raise PipelineError(
                f"the engine {self.engine} has no {self.precision}, only "
                f"{', '.join(ENGINE_PRECISIONS[self.engine])}; use --engine {' or '.join(able)}"
            )
        if self.engine == "tensorrt":
            object.__setattr__(self, "device", "gpu")
        elif self.engine in (AUTO_ENGINE, "openvino") and self.device != "cpu":
            raise PipelineError(
                f"the engine {self.engine} runs on cpu; use --engine onnxruntime for gpu"
            )
        if self.is_joined and max(self.tokenizer_instances, self.postprocess_instances) > 1:
            raise PipelineError(
                f"tokenizer_instances is {self.tokenizer_instances} and postprocess_instances "
                f"{self.postprocess_instances}, but joined stages are one process; set instances, "
                f"or build an ensemble with --no-joined"
            )
        if self.device == "cpu" and self.tokenizer_instances > 1 and self.batching.max_queue_size:
            raise PipelineError(
                f"tokenizer_instances is {self.tokenizer_instances} and max_queue_size "
                f"{self.batching.max_queue_size}; one process counts the requests that wait: leave "
                f"one of the two out"
            )

    @property
    def is_joined(self) -> bool:
        """True where all stages are one model; on a CPU unless the pipeline says otherwise."""
        return self.device == "cpu" if self.joined is None else self.joined

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that the build may take: the one named, or those of the precision on CPU."""
        if self.engine != AUTO_ENGINE:
            return (self.engine,)
        return tuple(name for name in CPU_ENGINES if self.precision in ENGINE_PRECISIONS[name])

    def stage_instances(self, part: str) -> int:
        """Processes of the Python stage `tokenizer` or `postprocess` of an ensemble."""
        given = {"tokenizer": self.tokenizer_instances, "postprocess": self.postprocess_instances}
        return given.get(part, 0) or 1

    @property
    def row_texts(self) -> int:
        """Texts of one row of the engine."""
        return len(task_named(self.task).pair_texts) if self.pair else 1

    @property
    def overlap(self) -> int:
        """Tokens that windows share."""
        return self.answering.overlap or self.max_length // 4

    @property
    def max_documents(self) -> int:
        """Most documents, options or masks of one request; 0 for other tasks."""
        task = task_named(self.task)
        if not task.has_rows_of_a_text:
            return 0
        if not task.list_input:
            return self.answering.max_documents or MOST_MASKS
        return self.answering.max_documents or min(MOST_DOCUMENTS[name] for name in self.engines)

    @property
    def max_stage_rows(self) -> int:
        """Most rows of one request to the engine and the postprocess stage: windows, or texts."""
        windows = self.answering.max_windows if task_named(self.task).has_windows else 0
        return max(self.batching.max_batch_size, windows, self.max_documents)

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the pipeline's models: the ensemble and its stages, or the one of joined."""
        return tuple(dict.fromkeys((self.name, *map(self.stage, PARTS))))

    def stage(self, part: str) -> str:
        """The model name of one of the `PARTS`."""
        return self.name if self.is_joined else stage_name(self.name, part)


def load_pipeline(path: Path) -> PipelineSpec:
    """Read a pipeline from TOML; unknown keys and wrong types are refused.

    Raises:
        PipelineError: the file cannot be read, or has an unknown key or a wrong value.
    """
    return read_described(PipelineSpec, path, PipelineError)


def _at_least(least: int, spec: object, *names: str) -> None:
    for name in names:
        if getattr(spec, name) < least:
            raise PipelineError(f"{name} is {getattr(spec, name)}; expected at least {least}")


def _one_of(choices: tuple[str, ...], spec: object, name: str) -> None:
    if getattr(spec, name) not in choices:
        raise PipelineError(
            f"{name} is {getattr(spec, name)!r}; expected one of {', '.join(choices)}"
        )
