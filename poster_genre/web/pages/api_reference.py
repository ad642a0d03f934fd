"""The OpenAPI document and the model's facts, for people."""

from __future__ import annotations

from html import escape
from typing import Any

from poster_genre.web.api.openapi import describe
from poster_genre.web.limits import Limits
from poster_genre.web.pages.markdown_html import inline

CURL = {
    "predict": "curl -F image=@poster.jpg {origin}/api/v1/predict",
    "explain": "curl -F image=@poster.jpg -F genre=Horror {origin}/api/v1/explain",
    "model": "curl {origin}/api/v1/model",
    "insideEnter": "curl -F image=@poster.jpg {origin}/api/v1/inside",
    "insidePoster": "curl -o seen.png {origin}/api/v1/inside/TOKEN/poster.png",
    "insideMaps": "curl -o maps.png {origin}/api/v1/inside/TOKEN/maps/1.png",
    "insideNumbers": "curl '{origin}/api/v1/inside/TOKEN/numbers/1?row=3&column=4&channel=0'",
    "insideGenre": "curl {origin}/api/v1/inside/TOKEN/genres/Horror",
    "insideFilters": "curl -o filters.png {origin}/api/v1/inside/filters.png",
    "healthz": "curl {origin}/healthz",
    "readyz": "curl {origin}/readyz",
}


def to_html(limits: Limits) -> str:
    """What each path takes and answers."""
    document = describe(limits)
    info = document["info"]
    parts = [
        f"<h1>API</h1><p>{inline(info['description'])} The same description for machines: "
        '<a href="/openapi.json">openapi.json</a>.</p>'
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts.append(operation_html(path, method, operation))
    parts.append("<h2>Objects</h2>")
    for name, schema in document["components"]["schemas"].items():
        parts.append(f'<h3 id="{name}">{name}</h3>{properties_html(schema)}')
    return "".join(parts)


def operation_html(path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
        f"<p><strong>{escape(operation['summary'])}.</strong> {inline(operation.get('description', ''))}</p>",
        f'<pre tabindex="0"><code data-curl>{escape(CURL[operation["operationId"]])}</code></pre>',
    ]
    fields = [
        (f"{p['name']} <small>({p['in']})</small>", p["schema"], p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    body = (
        operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    )
    for name, schema in body.get("properties", {}).items():
        said = "A picture; repeat the field for several." if schema.get("type") == "array" else ""
        said = said or schema.get("description", "A picture." if name == "image" else "")
        fields.append((f"{escape(name)} <small>(form)</small>", schema, said))
    if fields:
        rows = "".join(
            f"<tr><td>{name}</td><td>{kind_of(schema)}</td><td>{inline(said)}</td></tr>"
            for name, schema, said in fields
        )
        parts.append(wide(f"{head('Field', 'Type', 'Meaning')}<tbody>{rows}</tbody>", "Fields"))
    rows = "".join(
        f"<tr><td>{status}</td><td>{inline(response['description'])}</td></tr>"
        for status, response in operation["responses"].items()
    )
    parts.append(wide(f"{head('Status', 'Meaning')}<tbody>{rows}</tbody>", "Answers"))
    return "".join(parts)


def properties_html(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{kind_of(inner)}</td>"
        f"<td>{inline(inner.get('description', ''))}</td></tr>"
        for name, inner in schema["properties"].items()
    )
    return wide(f"{head('Member', 'Type', 'Meaning')}<tbody>{rows}</tbody>", "Members")


def kind_of(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return f'<a href="#{name}">{name}</a>'
    if "contentMediaType" in schema:
        return "file"
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    if "enum" in schema and len(schema["enum"]) <= 3:
        return " or ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    kind = schema.get("type", "string")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def model_facts(about: dict[str, Any]) -> str:
    """The served model in a table."""
    height, width = about["input_size"]
    facts = {
        "Model": f"<code>{escape(about['version'])}</code>",
        "Sees": f"{width} x {height} pixels",
        "Parameters": f"{about['parameters']:,}",
        "Trained on": f"{about['train_posters']:,} posters" if about["train_posters"] else "not recorded",
        "Probabilities": "calibrated on validation posters" if about["calibrated"] else "not calibrated",
    }
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{said}</td></tr>' for name, said in facts.items())
    return f"<h1>The model that answers here</h1>{wide(f'<tbody>{rows}</tbody>', 'Facts')}"


def head(*names: str) -> str:
    return "<thead><tr>" + "".join(f'<th scope="col">{name}</th>' for name in names) + "</tr></thead>"


def wide(inside: str, label: str) -> str:
    return f'<div class="wide" role="group" aria-label="{label}" tabindex="0"><table>{inside}</table></div>'
