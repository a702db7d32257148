"""Runs scripts in child processes, for any language: the template, its children, and the actor's side of both.

`child_engine` is the engine's side and all that an engine needs. `program` says what a language has to supply for the
children. A script's function reaches the actor by `ParentChannel.ask`, which `ChildEngine.answer` answers.
"""
