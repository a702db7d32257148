"""How commands print: results as tables and in other formats, notes, questions, errors."""
