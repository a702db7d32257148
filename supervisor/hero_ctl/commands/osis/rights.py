"""The commands osis acl show and osis acl set: who may do what with the objects of a context."""

from __future__ import annotations

from typing import Annotated

from hero_ctl.commands.osis.shared import ContextId
from hero_ctl.commands.osis.source import object_source
from hero_ctl.connect.store import open_supervisor
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.output.visible import json_text
from hero_ctl.parameters import Argument

AclWord = Annotated[str, Argument(metavar="CHANGE", help="grant or revoke a right; join or leave a group.")]


def acl_show(*, context: ContextId, store: StoreOptions) -> None:
    """Print who may do what with the objects of a context, besides its owner, as JSON."""
    with open_supervisor(store) as supervisor:
        rights = object_source(supervisor, store).rights(context)
    echo(json_text(rights, indent=2))


def acl_set(
    *,
    change: AclWord,
    to: Annotated[str, Argument(metavar="TO", help="read, write or admin; or the name of a group.")],
    member: Annotated[str, Argument(metavar="MEMBER", help="A caller, or group:NAME.")],
    context: ContextId,
    store: StoreOptions,
) -> None:
    """Change the rights in a context: grant read alice, revoke write alice, join team alice, grant write group:team."""
    with open_supervisor(store) as supervisor:
        object_source(supervisor, store).change_rights(change, to, member, context)
