"""Checks instances against a schema with jsonschema: prints a JSON list of booleans."""

import json
import sys

from jsonschema import Draft202012Validator

work = json.load(open(sys.argv[1], encoding="utf-8"))
Draft202012Validator.check_schema(work["schema"])
validator = Draft202012Validator(work["schema"])
print(json.dumps([validator.is_valid(instance) for instance in work["instances"]]))
