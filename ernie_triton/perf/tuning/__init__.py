"""Find threads, instances, batch and delay for one machine: `ernie-triton perf tune`.

`gpu_memory` says how many instances a GPU has room for.

`setting` holds the tuned values and their candidates. `search` screens candidates and `decision`
decides between the best; both measure on a `bench` of servers, each on a `repository` with changed
configurations. `toml_file` writes the tuned pipeline, `report` describes the decision, and `tune`
is the whole flow.

A new value to tune belongs into `setting.Setting`, `repository` and `toml_file`.
"""
