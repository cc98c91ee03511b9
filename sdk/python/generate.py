#!/usr/bin/env python3
"""Writes the parts of the package that nobody writes by hand.

``models.py`` and ``_async/resources.py`` come from ``docs/openapi.json`` and ``table.py``; all of
``_sync`` comes from ``_async``, without its ``async`` and ``await``. ``--check`` writes nothing and
fails where a file is stale; a test does that. Nothing but Python is needed.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import table
from table import Operation

HERE = Path(__file__).parent
PACKAGE = HERE / "src" / "grantkeep"
DOCUMENT = HERE.parent.parent / "docs" / "openapi.json"
COLUMNS = 100
BANNER = '"""{about} Written by generate.py: edit that, or table.py."""'
METHODS = ("get", "post", "put", "patch", "delete")

Json = Dict[str, Any]


class Unknown(Exception):
    """The document says something that the table has no name for."""


@dataclass(frozen=True)
class Typed:
    """A Python type, and what reads it from JSON. ``None``: it is JSON as it is."""

    text: str
    reader: Optional[str] = None


class Document:
    """The document with what the table adds to it."""

    def __init__(self, raw: Json) -> None:
        # What is described by hand says more than the document, wherever both do.
        self.schemas: Json = {**table.UNTIL, **raw["components"]["schemas"], **table.SCHEMAS}
        self.paths: Json = raw["paths"]
        #: Schemas that answers are made of, by their name in the document.
        self.used: Dict[str, None] = {}

    def operations(self) -> Iterator[Tuple[str, str, Json]]:
        """Key, path and description of each call in the document."""
        for path, methods in self.paths.items():
            for method in METHODS:
                if method in methods:
                    yield key_of(method, path), path, methods[method]

    def type_of(self, schema: Any, name: str = "", given: bool = False) -> Typed:
        """The type of a value. ``given``: of one that callers give, not one of an answer."""
        if "$ref" in schema:
            return self._named(schema["$ref"].rsplit("/", 1)[1])
        either = schema.get("oneOf") or schema.get("anyOf")
        if either:
            some = [it for it in either if it.get("type") != "null"]
            return optional(self.type_of(some[0], name, given))
        kind = schema.get("type")
        if isinstance(kind, list):
            some = [it for it in kind if it != "null"]
            if len(some) > 1:
                texts = [self.type_of({**schema, "type": it}, name, given).text for it in some]
                return optional(Typed(f"Union[{', '.join(texts)}]"))
            return optional(self.type_of({**schema, "type": some[0]}, name, given))
        return self._plain(kind, schema, name, given)

    def _plain(self, kind: Any, schema: Any, name: str, given: bool) -> Typed:
        if "enum" in schema:
            return Typed(f"Literal[{', '.join(json.dumps(it) for it in schema['enum'])}]")
        if kind == "string":
            return Typed("datetime", "when") if name.endswith("_at") and not given else Typed("str")
        if kind in ("integer", "number", "boolean"):
            return Typed({"integer": "int", "number": "float", "boolean": "bool"}[kind])
        if kind == "array":
            inside = self.type_of(schema.get("items", {}), "", given)
            reader = f"many({inside.reader})" if inside.reader else None
            return Typed(f"{'Sequence' if given else 'List'}[{inside.text}]", reader)
        if kind == "object":
            inside = self.type_of(schema.get("additionalProperties") or {}, "", given)
            return Typed(f"{'Mapping' if given else 'Dict'}[str, {inside.text}]")
        return Typed("Any")

    def _named(self, name: str) -> Typed:
        schema = self.schemas[name]
        if "enum" in schema:
            self.used[name] = None
            return Typed(here(name))
        if fields_of(schema, self.schemas):
            self.used[name] = None
            return Typed(here(name), here(name))
        return self.type_of(schema)


def key_of(method: str, path: str) -> str:
    return f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"


def here(name: str) -> str:
    return table.MODELS.get(name, name)


def optional(it: Typed) -> Typed:
    text = (
        it.text if it.text.startswith("Optional[") or it.text == "Any" else f"Optional[{it.text}]"
    )
    return Typed(text, it.reader)


def fields_of(schema: Any, schemas: Json) -> Dict[str, Tuple[Any, bool]]:
    """Fields with whether they are always there, those of parts included."""
    if "$ref" in schema:
        return fields_of(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    found: Dict[str, Tuple[Any, bool]] = {}
    for part in schema.get("allOf", []):
        found.update(fields_of(part, schemas))
    required = schema.get("required", [])
    for name, it in schema.get("properties", {}).items():
        found[name] = (it, name in required)
    return found


def prose(text: str, indent: str) -> List[str]:
    """Text in lines that fit."""
    lines: List[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        words = " ".join(re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", paragraph).split())
        lines += textwrap.wrap(words, COLUMNS - len(indent), break_on_hyphens=False) + [""]
    return [f"{indent}{it}".rstrip() for it in lines[:-1]]


def doc(text: str, indent: str, notes: Mapping[str, str] = {}) -> List[str]:
    """A docstring."""
    # The quotes take the place of three letters.
    lines = prose("___" + text.strip(), indent)
    lines[0] = f'{indent}"""{lines[0].strip()[3:]}'
    described = {name: it for name, it in notes.items() if it.strip()}
    if described:
        lines += ["", f"{indent}Args:"]
        for name, it in described.items():
            first, *rest = prose(f"{name}: {it}", f"{indent}    ")
            lines += [first, *(f"    {line}" for line in rest)]
    if len(lines) == 1 and len(lines[0]) <= COLUMNS - 3:
        return [lines[0] + '"""']
    return [*lines, f'{indent}"""']


# Calls.


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: Optional[str]
    about: str

    def line(self) -> str:
        given = "" if self.default is None else f" = {self.default}"
        return f"        {self.name}: {self.type}{given},"


def methods(document: Document) -> Dict[str, List[List[str]]]:
    """Lines of each method, by resource."""
    made: Dict[str, List[List[str]]] = {}
    unnamed: List[str] = []
    known = {key: (path, it) for key, path, it in document.operations()}
    for key in known:
        older = key.split(" ", 1)[1] in table.OLDER
        if not older and key not in table.ELSEWHERE and key not in table.OPERATIONS:
            unnamed.append(key)
    if unnamed:
        raise Unknown("Name these calls in table.py:\n  " + "\n  ".join(unnamed))
    for key, operation in table.OPERATIONS.items():
        if key in known or operation.own is not None:
            resource, method = operation.name.split(".")
            path, said = known.get(key, (key.split(" ", 1)[1], {}))
            lines = Method(document, key, operation, path, said).lines(method)
            made.setdefault(resource, []).append(lines)
    return made


class Method:
    """One call as a method."""

    def __init__(
        self, document: Document, key: str, operation: Operation, path: str, said: Json
    ) -> None:
        self.document = document
        self.key = key
        self.verb = key.split(" ", 1)[0]
        self.operation = operation
        self.path = self._path(path)
        if key in table.WITHOUT_PROJECT:
            self.path = self.path.replace("{project}", "{project?}")
        self.said = said
        self.own = None if operation.own and operation.own.until and said else operation.own
        self.query = self._query()
        self.body = self._body()

    def _path(self, path: str) -> str:
        if self.operation.path is not None:
            return self.operation.path
        parts = list(self.operation.parts)
        if path.startswith("/v1/connect/{"):
            parts.insert(0, "project")
        whole = re.sub(r"{[^}]*}", lambda _: "{" + parts.pop(0) + "}" if parts else "{?}", path)
        if parts or "{?}" in whole:
            raise Unknown(f"{path} has not the parts that table.py says")
        return whole

    def _query(self) -> List[Tuple[str, Any, bool, str]]:
        """Name, schema, whether it is needed, and what it is."""
        told = [
            (it["name"], it["schema"], it.get("required", False), it.get("description", ""))
            for it in self.said.get("parameters", [])
            if it["in"] == "query"
        ]
        if self.own is None:
            return told
        own = self.own.query
        new = {it[0] for it in told} - {it[0] for it in own}
        if self.operation.name.startswith(("actions.", "triggers.")):
            # The document has one list of parameters for all kinds of components.
            new -= {"component_type"}
        if new:
            raise Unknown(f"table.py does not know {sorted(new)} of {self.operation.name}")
        return [(name, it, needed, str(it.get("description", ""))) for name, it, needed in own]

    def _body(self) -> Optional[Dict[str, Tuple[Any, bool]]]:
        own = self.own
        if own is not None:
            return (
                fields_of(self.document.schemas[own.body], self.document.schemas)
                if own.body
                else None
            )
        content = self.said.get("requestBody", {}).get("content", {}).get("application/json")
        return fields_of(content["schema"], self.document.schemas) if content else None

    def parameters(self) -> Tuple[List[Parameter], List[Parameter]]:
        """Those by place, and those by name."""
        placed = [Parameter(it, "str", None, "") for it in self.operation.parts]
        needed: List[Parameter] = []
        more: List[Parameter] = []
        for name, schema, required, about in self.query:
            typed = self.document.type_of(schema, name, given=True)
            if required:
                needed.append(Parameter(name, typed.text, None, about))
            elif name in table.HOLDING:
                more.append(Parameter(name, f"Union[{typed.text}, Unset]", "UNSET", about))
            else:
                more.append(Parameter(name, optional(typed).text, "None", about))
        for name, (schema, required) in (self.body or {}).items():
            about = schema.get("description", "")
            typed = self.document.type_of(schema, name, given=True)
            if name in self.operation.texts:
                told = "The app's fields by their names."
                needed.append(
                    Parameter(self.operation.texts[name], "Mapping[str, Any]", None, told)
                )
            elif name == self.operation.bearer:
                told = "With it the call is made, and it is used up."
                needed.append(Parameter(name, "str", None, told))
            elif required:
                needed.append(Parameter(name, typed.text, None, about))
            else:
                more.append(Parameter(name, f"Union[{typed.text}, Unset]", "UNSET", about))
        options = Parameter("options", "Optional[CallOptions]", "None", "")
        return placed, [*needed, *more, options]

    def answer(self) -> Typed:
        own = self.own
        if own is not None:
            return self._own_answer(own.gives)
        good = {code: it for code, it in self.said["responses"].items() if code.startswith("2")}
        schemas = [
            it["content"]["application/json"]["schema"]
            for it in good.values()
            if "application/json" in it.get("content", {})
        ]
        if not schemas:
            return Typed("None", "nothing")
        schema = schemas[0]
        name = schema.get("$ref", "").rsplit("/", 1)[-1]
        if name.startswith("Listed_"):
            return self._own_answer(name[len("Listed_") :] + "*")
        if self.operation.unwrap is not None:
            return self._unwrapped(name, schema)
        typed = self.document.type_of(schema)
        if "204" in good:
            return Typed(optional(typed).text, f"maybe({typed.reader})")
        return typed

    def _unwrapped(self, name: str, schema: Any) -> Typed:
        field = self.operation.unwrap
        if name.startswith("Wrapped_"):
            typed = self.document._named(name[len("Wrapped_") :])
        else:
            fields = fields_of(schema, self.document.schemas)
            typed = self.document.type_of(fields[field or ""][0])
        if typed.text.startswith("Optional[") and not self.operation.maybe:
            typed = Typed(typed.text[len("Optional[") : -1], typed.reader)
        reader = f"maybe({typed.reader})" if self.operation.maybe else typed.reader
        return Typed(typed.text, f'within("{field}", {reader})')

    def _own_answer(self, gives: Optional[str]) -> Typed:
        if gives is None:
            return Typed("None", "nothing")
        typed = self.document._named(gives.rstrip("[]*"))
        if gives.endswith("*"):
            return Typed(f"AsyncListing[{typed.text}]", typed.reader)
        if gives.endswith("[]"):
            typed = Typed(f"List[{typed.text}]", f"many({typed.reader})")
        if self.operation.unwrap is not None:
            return Typed(typed.text, f'within("{self.operation.unwrap}", {typed.reader})')
        return typed

    def lines(self, name: str) -> List[str]:
        placed, named = self.parameters()
        answer = self.answer()
        paged = answer.text.startswith("AsyncListing[")
        lines = [f"    {'def' if paged else 'async def'} {name}(", "        self,"]
        lines += [it.line() for it in placed] + ["        *,"] + [it.line() for it in named]
        lines.append(f"    ) -> {answer.text}:")
        lines += doc(self._about(), " " * 8, {it.name: it.about for it in named})
        lines += self._call()
        if paged:
            made = f"AsyncListing(self._transport, call, {answer.reader}, options)"
        else:
            made = f"await self._transport.send(call, {answer.reader}, options)"
        lines.append(f"        return {made}")
        return lines

    def _about(self) -> str:
        if self.own is not None:
            return self.own.doc
        if self.key in table.DOCS:
            return table.DOCS[self.key]
        told = [self.said.get("summary"), self.said.get("description")]
        return "\n\n".join(it for it in told if it) or f"``{self.key}``."

    def _call(self) -> List[str]:
        parts = "".join(f", {it}" for it in self.operation.parts)
        at = f'        at = path(self._transport.settings, "{self.path}"{parts})'
        if len(at) > COLUMNS:
            inside = ["self._transport.settings", f'"{self.path}"', *self.operation.parts]
            each = "".join(f"            {it},\n" for it in inside)
            at = f"        at = path(\n{each}        )"
        lines = [
            *at.split("\n"),
            "        call = Call(",
            f'            "{self.verb}",',
            "            at,",
        ]
        if self.query:
            lines.append("            query={")
            lines += [f'                "{name}": {name},' for name, *_ in self.query]
            lines.append("            },")
        if self.body is not None:
            lines.append("            body={")
            for name in self.body:
                text = self.operation.texts.get(name)
                value = f"as_json({text})" if text else name
                lines.append(f'                "{name}": {value},')
            lines.append("            },")
        if self.operation.bearer:
            lines.append(f"            bearer={self.operation.bearer},")
        if self.said.get("security") == [{}]:
            lines.append("            anonymous=True,")
        if self.operation.repeatable:
            lines.append("            repeatable=True,")
        if self.operation.once:
            lines.append(f"            once={self.operation.once},")
        return [*lines, "        )"]


# Files.


def resources(document: Document) -> str:
    made = methods(document)
    names = sorted({here(it) for it in document.used})
    lines = [BANNER.format(about="The calls of each resource."), ""]
    lines += ["from __future__ import annotations", ""]
    lines += ["from typing import Any, List, Literal, Mapping, Optional, Sequence, Union", ""]
    body: List[str] = []
    for resource, calls in made.items():
        body += ["", "", f"class {class_of(resource)}:", f'    """{title_of(resource)}."""', ""]
        body += ["    def __init__(self, transport: AsyncTransport) -> None:"]
        body += ["        self._transport = transport"]
        for call in calls:
            body += ["", *call]
    body += ["", "", "class AsyncResources:", '    """A client\'s resources."""', ""]
    body += ["    def __init__(self, transport: AsyncTransport) -> None:"]
    body += [f"        self.{it} = {class_of(it)}(transport)" for it in made]
    text = "\n".join(body)
    lines += ["from ..calls import UNSET, Call, CallOptions, Unset, as_json, path"]
    lines += ["from ..model import many, maybe, nothing, within", "from ..models import ("]
    lines += [*(f"    {it}," for it in names if re.search(rf"\b{it}\b", text)), ")"]
    lines += ["from ..transport import AsyncTransport", "from .listing import AsyncListing"]
    return "\n".join(lines) + "\n" + text + "\n"


def class_of(resource: str) -> str:
    return "Async" + "".join(it.capitalize() for it in resource.split("_")).replace(
        "Oauth", "OAuth"
    )


def title_of(resource: str) -> str:
    return table.RESOURCES[resource]


def models(document: Document) -> str:
    """All models that answers are made of, what is inside of them before them."""
    written: Dict[str, List[str]] = {}

    def write(name: str) -> None:
        if name in written:
            return
        before = set(document.used)
        lines = model(document, name)
        for inner in [it for it in document.used if it not in before] + inner_of(document, name):
            write(inner)
        written.setdefault(name, lines)

    for name in [*document.used, "StashedFile"]:
        write(name)
    lines = [BANNER.format(about="What answers are made of."), ""]
    lines += ["from __future__ import annotations", "", "from datetime import datetime"]
    lines += ["from typing import Any, Dict, List, Literal, Optional", ""]
    lines += ["from .model import Model, many, when"]
    for block in written.values():
        lines += block
    return "\n".join(lines) + "\n"


def inner_of(document: Document, name: str) -> List[str]:
    found = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document.schemas[name]))
    return [it for it in found if it in document.used and it != name]


def model(document: Document, name: str) -> List[str]:
    schema = document.schemas[name]
    if "enum" in schema:
        values = ", ".join(json.dumps(it) for it in schema["enum"])
        lines = ["", "", *(f"# {it}" for it in prose(schema.get("description", ""), "")[:3])]
        one = f"{here(name)} = Literal[{values}]"
        if len(one) <= COLUMNS:
            return [*lines, one]
        inside = [f"    {json.dumps(it)}," for it in schema["enum"]]
        return [*lines, f"{here(name)} = Literal[", *inside, "]"]
    fields = fields_of(schema, document.schemas)
    lines = ["", "", f"class {here(name)}(Model):"]
    lines += doc(table.ABOUT.get(name) or schema.get("description") or f"{here(name)}.", "    ")
    lines.append("")
    readers: List[str] = []
    for field, (it, required) in fields.items():
        typed = document.type_of(it, field)
        about = it.get("description") or ""
        lines += (
            [f"    #: {line.strip()}" for line in prose(about, " " * 7)] if about.strip() else []
        )
        lines.append(f"    {field}: {typed.text if required else optional(typed).text}")
        if typed.reader:
            readers.append(f'        "{field}": {typed.reader},')
    lines.append("")
    if readers:
        lines += ["    _read = {", *readers, "    }"]
    lines += named_set("_required", [it for it, (_, needed) in fields.items() if needed])
    lines += named_set("_optional", [it for it, (_, needed) in fields.items() if not needed])
    secret = [it for it in fields if {it, f"{here(name)}.{it}"} & table.SECRET]
    lines += named_set("_secret", secret)
    return lines if lines[-1] else lines[:-1]


def named_set(name: str, fields: List[str]) -> List[str]:
    if not fields:
        return []
    one = f"    {name} = frozenset({{{', '.join(json.dumps(it) for it in fields)}}})"
    if len(one) <= COLUMNS:
        return [one]
    inside = [f"            {json.dumps(it)}," for it in fields]
    return [f"    {name} = frozenset(", "        {", *inside, "        }", "    )"]


ONLY_ASYNC = re.compile(r" *# Only async:.*?# End of only async\.\n\n?", re.S)
WITHOUT_ASYNC = (
    (re.compile(r"\basync (def|for|with)\b"), r"\1"),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\bAsync([A-Z]\w*)"), r"\1"),
    (re.compile(r"\b__a(iter|enter|exit)__\b"), r"__\1__"),
    (re.compile(r"\ba(read|close|iter_bytes|iter_lines)\b(?=\()"), r"\1"),
    (re.compile(r"\bawaited\b"), "pieces"),
    (re.compile(r"\bGenerator, (?=Generic)"), ""),
)


def without_async(text: str) -> str:
    """The same module for programs without an event loop."""
    text = ONLY_ASYNC.sub("", text)
    for pattern, to in WITHOUT_ASYNC:
        text = pattern.sub(to, text)
    if not text.startswith(BANNER[:3] + "The calls of each"):
        head, _, rest = text.partition("\n")
        text = f"# Written by generate.py from _async: edit there.\n{head}\n{rest}"
    return text


def sources() -> Dict[Path, str]:
    """Every written file with what belongs into it."""
    document = Document(json.loads(DOCUMENT.read_text(encoding="utf-8")))
    made = {PACKAGE / "_async" / "resources.py": resources(document)}
    made[PACKAGE / "models.py"] = models(document)
    made[PACKAGE / "_sync" / "__init__.py"] = (
        '"""The client for programs without an event loop."""\n'
    )
    for file in sorted({PACKAGE / "_async" / "resources.py", *(PACKAGE / "_async").glob("*.py")}):
        if file.name != "__init__.py":
            text = made.get(file) or file.read_text(encoding="utf-8")
            made[PACKAGE / "_sync" / file.name] = without_async(text)
    return made


def main() -> int:
    checking = "--check" in sys.argv[1:]
    stale: List[Path] = []
    for file, text in sources().items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            stale.append(file.relative_to(HERE))
            if not checking:
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")
    for it in stale:
        print(f"{'stale' if checking else 'wrote'} {it}")
    return 1 if checking and stale else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unknown as why:
        sys.exit(str(why))
