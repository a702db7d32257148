"""`heroctl`: the command of operators and users. It is a client like any other: it uses the API of programs."""
