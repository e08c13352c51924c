"""The table of the endpoints that take JSON."""

from collections.abc import Mapping

from ernie_triton.gateway.endpoints.answer import ANSWER_ENDPOINT
from ernie_triton.gateway.endpoints.choose import CHOOSE_ENDPOINT
from ernie_triton.gateway.endpoints.classify import CLASSIFY_ENDPOINT
from ernie_triton.gateway.endpoints.colbert import COLBERT_ENDPOINT
from ernie_triton.gateway.endpoints.embeddings import EMBEDDINGS_ENDPOINT
from ernie_triton.gateway.endpoints.endpoint import JsonEndpoint
from ernie_triton.gateway.endpoints.entities import ENTITIES_ENDPOINT
from ernie_triton.gateway.endpoints.extract import EXTRACT_ENDPOINT
from ernie_triton.gateway.endpoints.fill import FILL_ENDPOINT
from ernie_triton.gateway.endpoints.rerank import RERANK_ENDPOINT
from ernie_triton.gateway.endpoints.score import SCORE_ENDPOINT
from ernie_triton.gateway.endpoints.sparse import SPARSE_ENDPOINT
from ernie_triton.gateway.endpoints.tokenize import TOKENIZE_ENDPOINT

ENDPOINTS: Mapping[str, JsonEndpoint] = {
    endpoint.path: endpoint
    for endpoint in (
        EMBEDDINGS_ENDPOINT,
        CLASSIFY_ENDPOINT,
        ENTITIES_ENDPOINT,
        ANSWER_ENDPOINT,
        SCORE_ENDPOINT,
        RERANK_ENDPOINT,
        CHOOSE_ENDPOINT,
        EXTRACT_ENDPOINT,
        FILL_ENDPOINT,
        SPARSE_ENDPOINT,
        COLBERT_ENDPOINT,
        TOKENIZE_ENDPOINT,
    )
}
"""By path."""

ALIASES: Mapping[str, str] = {"/v2/rerank": "/v1/rerank", "/tokenize": "/v1/tokenize"}
"""Other paths of the same endpoints: Cohere's newer client asks the first."""
