"""Counts of requests, as a stage writes them and a supervisor reads them."""

import os
import threading
from pathlib import Path

from ernie_triton.request_counts import COUNTS_FOLDER, RequestCounts, opened_counts, read_counts


def test_what_a_stage_counts_is_read_while_it_counts(tmp_path: Path) -> None:
    counts = RequestCounts(tmp_path, "news_engine")
    counts.took(5)
    for outcome in ("answered", "answered", "refused", "failed"):
        counts.ended(outcome)
    (found,) = read_counts(tmp_path)
    assert (found.model, found.pid, found.taken) == ("news_engine", os.getpid(), 5)
    assert found.ended == {"answered": 2, "refused": 1, "failed": 1}
    assert found.running == 1


def test_threads_lose_no_count(tmp_path: Path) -> None:
    counts = RequestCounts(tmp_path, "news_engine")

    def count() -> None:
        for _ in range(2_000):
            counts.ended("answered")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = read_counts(tmp_path)
    assert found.ended["answered"] == 8_000


def test_other_files_are_no_counts(tmp_path: Path) -> None:
    (tmp_path / "news_engine.1").write_bytes(b"short")
    (tmp_path / "notes.txt").write_bytes(b"x" * 32)
    assert list(read_counts(tmp_path)) == []


def test_a_stage_counts_where_a_folder_is_named_alone(tmp_path: Path) -> None:
    assert opened_counts("news_engine", {}) is None
    assert opened_counts("news_engine", {COUNTS_FOLDER: ""}) is None
    assert opened_counts("news_engine", {COUNTS_FOLDER: str(tmp_path / "gone")}) is None
    assert opened_counts("news_engine", {COUNTS_FOLDER: str(tmp_path)}) is not None
