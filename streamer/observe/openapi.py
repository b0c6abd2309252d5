"""The operations of the API in, its OpenAPI document out."""

from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from streamer.observe import answers
from streamer.observe.api import BASE, OPERATIONS, Operation
from streamer.observe.events import IDS
from streamer.observe.parameters import Parameter
from streamer.observe.tables import ROWS

WHERE = "#/components/schemas/{model}"


def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    schemas: dict[str, Any] = {}
    paths = {BASE + plain(one.path): {"get": described(one, schemas)} for one in OPERATIONS}
    stream = {"200": {"description": "Events `forecast` and `daemon`", "content": {"text/event-stream": {}}}}
    paths[f"{BASE}/events"] = {
        "get": {
            "operationId": "events",
            "summary": "Newest forecasts of series as they are made (server-sent events)",
            "parameters": [parameter(IDS)],
            "responses": {**stream, **refusals(schemas, 400, 503)},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Streamer", "version": version("streamer"), "description": "Read-only."},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def plain(path: str) -> str:
    """A path without the kinds of its parts."""
    return path.replace(":int", "")


def described(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    """An operation; its schemas are added to all."""
    parameters = [parameter(each) for each in one.parameters]
    named = "{id" in one.path
    if named:
        schema = {"type": "integer", "minimum": 0}
        parameters.insert(0, {"name": "id", "in": "path", "required": True, "schema": schema})
    content: dict[str, Any] = {"application/json": {"schema": reference(one.gives, schemas)}}
    if any(each.name == "format" for each in one.parameters):
        content["application/json"]["schema"] = {"anyOf": [content["application/json"]["schema"], ROWS]}
        content["text/csv"] = {"schema": {"type": "string"}}
    codes = [*([400] if one.parameters else []), *([404] if named else []), 503]
    return {
        "operationId": one.answer.__name__,
        "summary": one.summary,
        "parameters": parameters,
        "responses": {"200": {"description": one.summary, "content": content}, **refusals(schemas, *codes)},
    }


def parameter(one: Parameter) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": one.name, "in": "query", "description": one.text, "required": False, "schema": one.schema()}


def refusals(schemas: dict[str, Any], *codes: int) -> dict[str, Any]:
    """What else may be answered."""
    content = {"application/json": {"schema": reference(answers.Refusal, schemas)}}
    return {str(code): {"description": "Refused", "content": content} for code in codes}


def reference(of: type, schemas: dict[str, Any]) -> dict[str, Any]:
    """The place of a schema, which is added to all."""
    made = TypeAdapter(of).json_schema(ref_template=WHERE, mode="serialization")
    schemas |= made.pop("$defs", {})
    schemas[of.__name__] = made
    return {"$ref": WHERE.format(model=of.__name__)}
