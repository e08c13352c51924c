"""Where a model's configuration is in its folder, for containers and for the embedded server."""

CONFIG_FILE = "config.pbtxt"
EMBEDDED_CONFIG_NAME = "embedded"
"""Of Triton's `--model-config-name`: takes `EMBEDDED_CONFIG_FILE` where a model has it."""

EMBEDDED_CONFIG_FILE = f"configs/{EMBEDDED_CONFIG_NAME}.pbtxt"
