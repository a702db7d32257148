"""HeroScript, the language in which a job tells actors what to do: parser, playbook, getters, formatter and checker.

    playbook = Playbook.parse("!!vm.define name:web cpu:4")
    for action in playbook.find("vm.*"):
        cpus = action.params.get_int("cpu")
        action.done = True

Parsing is pure and takes linear time. For any text, the only exceptions are `HeroScriptError` and its subclasses.
`load_playbook` reads files and folders, and `follow_includes` follows `!!play.include`.
"""

from hero_engine.languages.heroscript.params.money import Amount
from hero_engine.languages.heroscript.params.param_store import Param
from hero_engine.languages.heroscript.params.params import Params
from hero_engine.languages.heroscript.playbook.action import Action, ActionType
from hero_engine.languages.heroscript.playbook.export import (
    export_action,
    export_actions,
    export_one_line,
    export_params,
    hash_action,
    hash_actions,
    hash_params,
)
from hero_engine.languages.heroscript.playbook.files import list_scripts, load_playbook, read_script
from hero_engine.languages.heroscript.playbook.filters import ActionFilter
from hero_engine.languages.heroscript.playbook.include import follow_includes
from hero_engine.languages.heroscript.playbook.playbook import Playbook
from hero_engine.languages.heroscript.text.diagnostic import Diagnostic, Place, Severity, did_you_mean, nearest_names
from hero_engine.languages.heroscript.text.errors import HeroScriptError, LoadError, ParamError, ParseError, SelectError
from hero_engine.languages.heroscript.text.names import name_fix, name_fix_no_underscore
from hero_engine.languages.heroscript.tools.check import check_script
from hero_engine.languages.heroscript.tools.format import format_script
from hero_engine.languages.heroscript.tools.mapping import decode_params, encode_params
from hero_engine.languages.heroscript.tools.params_codec import (
    params_from_json,
    params_from_resp,
    params_to_json,
    params_to_resp,
)
from hero_engine.languages.heroscript.tools.v_check import find_misreadings

__all__ = [
    "Action",
    "ActionFilter",
    "ActionType",
    "Amount",
    "Diagnostic",
    "HeroScriptError",
    "LoadError",
    "Param",
    "ParamError",
    "Params",
    "ParseError",
    "Place",
    "Playbook",
    "SelectError",
    "Severity",
    "check_script",
    "decode_params",
    "did_you_mean",
    "encode_params",
    "export_action",
    "export_actions",
    "export_one_line",
    "export_params",
    "find_misreadings",
    "follow_includes",
    "format_script",
    "hash_action",
    "hash_actions",
    "hash_params",
    "list_scripts",
    "load_playbook",
    "name_fix",
    "name_fix_no_underscore",
    "nearest_names",
    "params_from_json",
    "params_from_resp",
    "params_to_json",
    "params_to_resp",
    "read_script",
]
