"""Tests of `build_scripts.finetune`."""
