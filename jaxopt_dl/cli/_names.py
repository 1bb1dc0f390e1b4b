"""Names of the files in the folder of a run."""

CONFIG, HISTORY, PARAMS, PAGE = "config.toml", "history.jsonl", "best.params", "report.html"
