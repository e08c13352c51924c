"""Generate the sample data: one module a task, with its line class and its `SampleTask`.

`grammar` expands the templates and word lists of `samples/grammars/`, `noise` adds typos and other
keyboards' styles. A new task is a module here, its grammar files, an entry in
`catalogue.SAMPLE_TASKS` and a table in `samples/recipes.toml`.
"""
