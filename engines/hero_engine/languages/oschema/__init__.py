"""The schema language of OSIS (`.oschema`): types of objects as text. Pure, apart from `files.py`.

`files.py` reads a folder, `resolve.py` puts its files together, `parser.py` and `tokens.py` read one of them;
`schema.py` is the result as data, and `models.py` checks objects with it, by pydantic models that it makes when the
first object comes.
"""
