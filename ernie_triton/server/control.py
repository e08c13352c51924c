"""Control one tritonserver over gRPC: its readiness, its models, and the key that opens them.

Whoever may load models may run code in the server. So every server that this project starts gives
these protocols, and those for shared memory, tracing and logging, to holders of a key alone.
"""

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from ernie_triton.errors import MissingExtraError, ServerError
from ernie_triton.settings import CLIENT_KEY_HEADER, CLIENT_KEY_NAME

try:
    import tritonclient.grpc as triton
    from tritonclient.utils import InferenceServerException
except (ModuleNotFoundError, RuntimeError) as error:
    # tritonclient raises RuntimeError where it is installed without gRPC.
    raise MissingExtraError("tritonclient", "server", "the server") from error

ADMIN_HEADER = "ernie-admin"
"""The header of the key over HTTP; over gRPC, Triton puts `triton-grpc-protocol-` before it."""

_CLOSED_PROTOCOLS = "shared-memory,model-repository,trace,logging"
_CLOSING = ("--grpc-restricted-protocol", "--http-restricted-api")
_CLIENT_PROTOCOLS = "inference,metadata,model-config,statistics"
# A server that starts is asked often; a proxy of the environment is not for a server of one's own.
_CHANNEL_ARGUMENTS = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 2**31 - 1),
)
_PROBE_TIMEOUT_S = 2.0
_INDEX_TIMEOUT_S = 10.0
_LOAD_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One version of a model as the server lists it.

    Attributes:
        name: of the model.
        version: empty for a model that was never loaded.
        state: READY, LOADING, UNLOADING or UNAVAILABLE; empty for one that was never loaded.
        reason: why it is unavailable, in the server's words.
    """

    name: str
    version: str
    state: str
    reason: str


def new_key() -> str:
    """A random key that nobody knows."""
    return secrets.token_hex(32)


def closing_options(key: str, client_key: str = "") -> tuple[str, ...]:
    """The options of tritonserver that close what only a holder of a key may use.

    Args:
        key: opens everything but inference.
        client_key: opens inference and its facts; empty leaves those open.
    """
    options = tuple(f"{option}={_CLOSED_PROTOCOLS}:{ADMIN_HEADER}={key}" for option in _CLOSING)
    return (*options, *client_key_options(client_key)) if client_key else options


def client_key_options(client_key: str) -> tuple[str, ...]:
    """The options of tritonserver that open inference to holders of a key alone."""
    return tuple(
        f"{option}={_CLIENT_PROTOCOLS}:{CLIENT_KEY_NAME}={client_key}" for option in _CLOSING
    )


class Control:
    """A connection to one server with its key; threads may share it."""

    def __init__(self, url: str, key: str = "", client_key: str = "") -> None:
        """Connect at the first call.

        Args:
            url: the gRPC address, such as `127.0.0.1:8001`.
            key: the server's key; without one only `ready` is answered.
            client_key: the key of its clients, where it wants one.
        """
        self._url = url
        self._headers = {f"triton-grpc-protocol-{ADMIN_HEADER}": key} if key else {}
        self._client_headers = {CLIENT_KEY_HEADER: client_key} if client_key else {}
        self._client = triton.InferenceServerClient(url, channel_args=list(_CHANNEL_ARGUMENTS))

    def ready(self, timeout_s: float = _PROBE_TIMEOUT_S) -> bool:
        """Return True when the server answers and says that every model is ready."""
        try:
            return bool(self._client.is_server_ready(client_timeout=timeout_s))
        except InferenceServerException:
            return False

    def index(self, timeout_s: float = _INDEX_TIMEOUT_S) -> tuple[ModelState, ...]:
        """The models of the repository with their states, loaded or not.

        Raises:
            ServerError: the server does not answer, or the key is not its own.
        """
        with self._named("list the models"):
            reply = self._client.get_model_repository_index(
                headers=self._headers, client_timeout=timeout_s
            )
        return tuple(
            ModelState(
                name=model.name, version=model.version, state=model.state, reason=model.reason
            )
            for model in reply.models
        )

    def is_loaded(self, name: str, timeout_s: float = _INDEX_TIMEOUT_S) -> bool:
        """Return True when a version of this model is ready.

        Raises:
            ServerError: as for `index`.
        """
        return name in self.ready_names(timeout_s)

    def ready_names(self, timeout_s: float = _INDEX_TIMEOUT_S) -> tuple[str, ...]:
        """Names of the models that are loaded, sorted, stages included.

        Raises:
            ServerError: as for `index`.
        """
        return tuple(sorted({m.name for m in self.index(timeout_s) if m.state == "READY"}))

    def pipelines(self, timeout_s: float = _INDEX_TIMEOUT_S) -> dict[str, frozenset[str]]:
        """The models that clients ask for, with their stages: ensembles, and models that none uses.

        Raises:
            ServerError: as for `index`.
        """
        stages = {name: self._stages_of(name, timeout_s) for name in self.ready_names(timeout_s)}
        used = frozenset[str]().union(*stages.values())
        return {name: stages[name] or frozenset({name}) for name in stages.keys() - used}

    def _stages_of(self, name: str, timeout_s: float) -> frozenset[str]:
        with self._named(f"describe {name}"):
            reply = self._client.get_model_config(
                name, headers=self._client_headers, client_timeout=timeout_s
            )
        return frozenset(step.model_name for step in reply.config.ensemble_scheduling.step)

    def load(self, name: str, timeout_s: float = _LOAD_TIMEOUT_S) -> None:
        """Load a model of the repository, or load it anew; returns when it is ready.

        The stages of an ensemble are loaded with it.

        Raises:
            ServerError: it cannot be loaded, or the key is not the server's.
        """
        with self._named(f"load {name}"):
            self._client.load_model(name, headers=self._headers, client_timeout=timeout_s)

    def unload(
        self, name: str, *, with_stages: bool = False, timeout_s: float = _LOAD_TIMEOUT_S
    ) -> None:
        """Stop serving a model; returns before its last request is answered.

        Args:
            name: of the model.
            with_stages: of an ensemble, unload its stages too.
            timeout_s: how long to wait, in seconds.

        Raises:
            ServerError: the server refuses, or the key is not its own.
        """
        with self._named(f"unload {name}"):
            self._client.unload_model(
                name,
                headers=self._headers,
                unload_dependents=with_stages,
                client_timeout=timeout_s,
            )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    @contextlib.contextmanager
    def _named(self, action: str) -> Iterator[None]:
        try:
            yield
        except InferenceServerException as error:
            message = " ".join(str(error.message() or error).split())
            raise ServerError(f"the server at {self._url} did not {action}: {message}") from error
        except ValueError as error:  # gRPC's: the connection was closed meanwhile
            raise ServerError(f"the server at {self._url} did not {action}: {error}") from error
