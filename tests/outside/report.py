#!/usr/bin/env python3
"""Reads an export of the log with parsers that we did not write.

report.py fhir|ocsf|csv FILE: 0 if every entry is read, 1 and why if not.
"""

import csv
import json
import sys


def fhir(path):
    """HL7's models of FHIR R4B, in which AuditEvent is that of R4."""
    from fhir.resources.R4B.auditevent import AuditEvent
    from fhir.resources.R4B.bundle import Bundle

    with open(path, encoding="utf-8") as file:
        read = json.load(file)
    bundle = Bundle.model_validate(read)
    events = [AuditEvent.model_validate(entry["resource"]) for entry in read["entry"]]
    assert len(events) == len(bundle.entry)
    return len(events)


def ocsf(path):
    """The published schema of OCSF, as JSON Schema."""
    import jsonschema
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.4.0"))
    schema = schema.get_class_schema("api_activity", ["security_control"])
    validator = jsonschema.Draft202012Validator(schema)
    count = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            validator.validate(json.loads(line))
            count += 1
    return count


def comma_separated(path):
    """Python's own reader, strict; and no cell that a spreadsheet would run."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, strict=True))
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise ValueError(f"line {number} has {len(row)} cells")
        for cell in row:
            if cell.lstrip()[:1] in ("=", "+", "-", "@"):
                raise ValueError(f"line {number} has a formula: {cell[:20]}")
    return len(rows) - 1


def main():
    kinds = {"fhir": fhir, "ocsf": ocsf, "csv": comma_separated}
    try:
        count = kinds[sys.argv[1]](sys.argv[2])
    except Exception as error:  # whatever a parser says is its verdict
        print(f"refused: {type(error).__name__}: {str(error)[:2000]}")
        return 1
    print(f"{count} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
