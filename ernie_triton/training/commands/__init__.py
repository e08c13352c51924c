"""The commands `finetune`, `prune`, `distil` and `quantize`; a new one joins the table in `cli`."""
