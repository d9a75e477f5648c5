"""Holds answers to their schemas in an OpenAPI 3.1 document, with jsonschema: `python validate.py DOCUMENT ANSWERS`.

Each line of ANSWERS is a JSON object: path (as the document has it), method, status, type, body (the text as it was answered).
Numbers become binary floats, as `json` reads them and most readers do.
"""

import json
import sys

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

with open(sys.argv[1], encoding="utf-8") as file:
    DOCUMENT = json.load(file)
REGISTRY = Registry().with_resource("urn:document", DRAFT202012.create_resource(DOCUMENT))
VALIDATORS = {}


def pointer_of(parts):
    return "/".join(part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D") for part in parts)


def validator(path, method, status, kind):
    key = (path, method, status, kind)
    if key not in VALIDATORS:
        parts = ["paths", path, method, "responses", status]
        answer = DOCUMENT["paths"][path][method]["responses"].get(status)
        if answer is None:
            raise SystemExit(f"the document has no {key}")
        if "$ref" in answer:
            parts = answer["$ref"][2:].split("/")
            answer = DOCUMENT["components"]["responses"][parts[-1]]
        if kind not in answer.get("content", {}):
            raise SystemExit(f"the document has no {key}")
        schema = {"$ref": "urn:document#/" + pointer_of([*parts, "content", kind, "schema"])}
        checker = Draft202012Validator.FORMAT_CHECKER
        assert "date-time" in checker.checkers, "rfc3339-validator is not installed: no time would be checked"
        VALIDATORS[key] = Draft202012Validator(schema, registry=REGISTRY, format_checker=checker)
    return VALIDATORS[key]


count = refused = 0
with open(sys.argv[2], encoding="utf-8") as lines:
    for line in lines:
        answer = json.loads(line)
        check = validator(answer["path"], answer["method"], answer["status"], answer["type"])
        count += 1
        error = next(check.iter_errors(json.loads(answer["body"])), None)
        if error is not None:
            refused += 1
            print(f"{answer['method']} {answer['path']}: {error.json_path}: {error.message[:200]}", file=sys.stderr)
            if refused == 3:  # Enough to know what is wrong.
                break
print(f"jsonschema: {count} answers, {refused} refused")
sys.exit(0 if refused == 0 and count > 0 else 1)
