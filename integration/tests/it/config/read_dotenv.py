"""Reads .env texts with python-dotenv: a JSON list of texts in, a JSON list of objects out."""

import io
import json
import sys

from dotenv import dotenv_values

texts = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps([dotenv_values(stream=io.StringIO(text, newline=""), interpolate=False) for text in texts]))
