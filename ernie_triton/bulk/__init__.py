"""Millions of texts by many processes, on one machine or several: `ernie-triton batch`.

Flow: `batch` (the command) cuts a file into `file_parts`; `ray_parts` hands them to processes that
Ray starts; each is a `part_worker`, which answers a part and writes its file. Its answers come from
servers, or from stages that `repository_stages` opens in its own process.
"""
