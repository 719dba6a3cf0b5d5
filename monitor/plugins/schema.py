"""The JSON Schema of the whole configuration file, every plugin's options included: what editors complete from."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from monitor.core.config import Config
from monitor.core.config_reading import NOUNS
from monitor.plugins import finding

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
FIELD: Schema = {
    "type": "string",
    "minLength": 1,
    "description": "The field to read; without it the field has the feature's name.",
}


def json_schema() -> Schema:
    """The schema, draft 2020-12. Imports every plugin.

    It describes what is written without ``${env:...}``: an editor may mark such a reference where a number belongs.
    """
    schema = Config.model_json_schema()
    definitions: Schema = schema.pop("$defs")
    for group in finding.GROUPS:
        definitions[group] = _choice(group, definitions)
    filled: Schema = _with_plugins({"$schema": DRAFT, **schema, "$defs": dict(sorted(definitions.items()))})
    return filled


def _choice(group: str, definitions: Schema) -> Schema:
    """A plugin of the group: the name of a kind that has no required options, or one kind with its options."""
    bare = [kind for kind in finding.kinds(group) if _needs_nothing(group, kind)]
    kinds = [_kind(group, kind, definitions) for kind in finding.kinds(group)]
    names: list[Schema] = [{"enum": bare}] if bare else []
    return {"description": f"The kind of {NOUNS[group]}, with its options.", "oneOf": [*names, *kinds]}


def _kind(group: str, kind: str, definitions: Schema) -> Schema:
    prefix = f"{group}.{kind}"
    options = finding.options_model(group, kind).model_json_schema(ref_template=f"#/$defs/{prefix}.{{model}}")
    for name, inner in options.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = inner
    options |= {"title": kind, "description": finding.summary(group, kind)}
    if group == "encoders":
        options["properties"] = {**options.get("properties", {}), "field": FIELD}
    definitions[prefix] = options
    reference: Schema = {"$ref": f"#/$defs/{prefix}"}
    allowed = {"anyOf": [reference, {"type": "null"}]} if _needs_nothing(group, kind) else reference
    return {"type": "object", "properties": {kind: allowed}, "required": [kind], "additionalProperties": False}


def _needs_nothing(group: str, kind: str) -> bool:
    try:
        finding.default_options(group, kind)
    except ValidationError:
        return False
    return True


def _with_plugins(node: Any) -> Any:
    """Put references where the core, which knows no plugin, only names the group; allow no other names than ours."""
    if isinstance(node, dict):
        if "plugins" in node and isinstance(node["plugins"], str):
            group = node.pop("plugins")
            return {**node, "$ref": f"#/$defs/{group}"}
        closed = {"additionalProperties": False} if "patternProperties" in node else {}
        return {**{key: _with_plugins(value) for key, value in node.items()}, **closed}
    return [_with_plugins(item) for item in node] if isinstance(node, list) else node
