"""Holds each CycloneDX document of a folder to the schema of its version, without members that it does not know."""

import json
import sys
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

documents = sorted(Path(sys.argv[1]).glob("*.cdx.json"))
faults = 0
for path in documents:
    text = path.read_text(encoding="utf-8")
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    fault = JsonStrictValidator(version).validate_str(text)
    if fault is not None:
        # The lines behind it repeat the schema and the document.
        print(f"{path.name}: {str(fault).splitlines()[0]}")
        faults += 1
print(f"{len(documents)} documents, {faults} of them not as their schema says")
sys.exit(1 if faults or not documents else 0)
