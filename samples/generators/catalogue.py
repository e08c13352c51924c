"""Every sample task whose data are generated, by name."""

from samples.generators.afqmc import AFQMC
from samples.generators.choice import OPTIONS
from samples.generators.cloze import GAPS
from samples.generators.cmrc2018 import CMRC2018
from samples.generators.digests import DIGESTS
from samples.generators.extraction import FACTS
from samples.generators.headlines import HEADLINES
from samples.generators.msra_ner import MSRA_NER
from samples.generators.multi_label import MULTI_TOPIC
from samples.generators.sentence_pairs import SENTENCE_PAIRS
from samples.generators.similarity import SIMILARITY
from samples.generators.tnews import TNEWS
from samples.generators.topics import TOPIC_LESSONS

SAMPLE_TASKS = {
    task.name: task
    for task in (
        TNEWS,
        AFQMC,
        MSRA_NER,
        CMRC2018,
        SENTENCE_PAIRS,
        MULTI_TOPIC,
        SIMILARITY,
        FACTS,
        OPTIONS,
        GAPS,
        HEADLINES,
        TOPIC_LESSONS,
        DIGESTS,
    )
}
