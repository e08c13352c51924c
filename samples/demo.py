"""Ask the real server one question per task, as `make demo` does.

Starts the embedded server on free ports, runs the clients' own commands against it and prints both
the commands and their answers.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ernie_triton.errors import ErnieTritonError
from ernie_triton.processes.child_process import run_child
from ernie_triton.server.embedded import EmbeddedServer
from ernie_triton.server.options import ServerOptions

ROOT = Path(__file__).resolve().parent.parent

QUESTIONS: dict[str, str] = {
    "ernie_seqcls": "seq_cls --text 国足客场2:1逆转取胜，武磊梅开二度 "
    "--text 'iPhone 15 Pro 降价 1200 元，现在入手合适吗?' "
    "--text 央行宣布下调存款准备金率0.5个百分点",
    "ernie_seqcls_pair": "seq_cls "
    "--text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗 "
    "--text 花呗怎么提前还款 --text-pair 花呗逾期了会怎么样",
    "ernie_sentiment": "seq_cls --text 味道不错，分量也足，下次还会再来 "
    "--text 颜色比图片上暗一些，不过面料舒服，还会再买 --text 才用一周就坏了，客服还一直推脱",
    "ernie_multilabel": "multi_label --text 手机厂商股价大涨，新款芯片下月发布",
    "ernie_regression": "regression --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗",
    "ernie_rerank": "rerank --query 花呗怎么提前还款 --document 花呗逾期了会怎么样 "
    "--document 花呗可以提前还清吗 --document 信用卡怎么提前还款",
    "ernie_choice": "choice --context 陈思远毕业于武汉理工大学，现任教授。 "
    "--question 陈思远毕业于哪所学校？ --option 北京大学 --option 浙江大学 --option 武汉理工大学",
    "ernie_tokencls": "token_cls --mark --text 新华社记者王芳从上海报道",
    "ernie_qa": "qa --question 大桥全长多少米？ "
    "--context 济阳黄河大桥位于山东省济南市，全长2023米，于1982年建成通车。",
    "ernie_uie": "extraction --text 陈思远1986年3月出生于成都，毕业于浙江大学。 "
    """--schema '{"人物": ["毕业院校", "出生地"]}'""",
    "ernie_cloze": "cloze --text 他买了三[MASK]小说。 --candidate 只 --candidate 本 --candidate 辆",
    "ernie_embedding": "embedding --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗",
    "ernie_sparse": "sparse --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗 "
    "--text 花呗怎么提前还款 --text-pair 信用卡年费多少",
    "ernie_colbert": "colbert --text 花呗怎么提前还款 --text-pair 花呗可以提前还清吗 "
    "--text 花呗怎么提前还款 --text-pair 信用卡年费多少",
}
"""Arguments of `ernie-triton ask` for each model, without the server's address and the name."""


def main(argv: Sequence[str] | None = None) -> int:
    """Ask every model of the repository's defaults; returns 0 when all have answered."""
    parser = argparse.ArgumentParser(prog="python -m samples.demo", allow_abbrev=False)
    parser.add_argument("--repository", type=Path, default=ROOT / "model_repository")
    arguments = parser.parse_args(argv)
    options = ServerOptions(
        repository=arguments.repository,
        models=tuple(QUESTIONS),
        grpc_port=0,
        metrics_port=0,
    )
    try:
        with EmbeddedServer(options) as server:
            print(f"tritonserver is ready at {server.url}", file=sys.stderr)
            return max(_ask(server.url, model, asked) for model, asked in QUESTIONS.items())
    except ErnieTritonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _ask(url: str, model: str, question: str) -> int:
    command = f"ask {question} --url {url} --model {model}"
    print(f"\n$ ernie-triton {command}", flush=True)
    words = [sys.executable, "-m", "ernie_triton", *shlex.split(command)]
    return run_child(words, cwd=ROOT).returncode


if __name__ == "__main__":
    sys.exit(main())
