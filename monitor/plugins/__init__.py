"""Which plugins there are, and the configuration that chooses among them."""

from __future__ import annotations

from monitor.plugins.finding import GROUPS, default_options, encoder_module, kinds, module, options_model, summary
from monitor.plugins.loading import config_path, load_config, load_config_text, resolve_state_dir
from monitor.plugins.schema import json_schema

__all__ = [
    "GROUPS",
    "config_path",
    "default_options",
    "encoder_module",
    "json_schema",
    "kinds",
    "load_config",
    "load_config_text",
    "module",
    "options_model",
    "resolve_state_dir",
    "summary",
]
