#!/usr/bin/env python3
"""Reads what `/fhir` said with HL7's models of FHIR R4B, in which all that we say is that of R4.

read_fhir.py DIR: 0 if every *.json and *.xml in it is read, 1 and why if not.
"""

import json
import pathlib
import sys
from xml.etree import ElementTree

from fhir.resources.R4B import get_fhir_model_class


def read(path):
    data = path.read_bytes()
    if path.suffix == ".json":
        kind = json.loads(data)["resourceType"]
        get_fhir_model_class(kind).model_validate_json(data)
    else:
        tag = ElementTree.fromstring(data).tag
        namespace, _, kind = tag.rpartition("}")
        assert namespace == "{http://hl7.org/fhir", tag
        get_fhir_model_class(kind).model_validate_xml(data)
    return kind


def main():
    kinds, wrong = {}, 0
    for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
        try:
            kind = read(path)
            kinds[kind] = kinds.get(kind, 0) + 1
        except Exception as error:  # whatever it is, it was not read
            wrong += 1
            print(f"{path.name}: {error}\n{path.read_text(encoding='utf-8').rstrip()}")
    print(", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    return 1 if wrong or not kinds else 0


if __name__ == "__main__":
    sys.exit(main())
