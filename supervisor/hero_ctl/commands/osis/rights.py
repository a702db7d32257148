"""The commands osis acl show and osis acl set: who may do what with the objects of a context."""

from __future__ import annotations

import json
from typing import Annotated

from hero_ctl.commands.osis.shared import ContextId, operator
from hero_ctl.connect.store import namespace_of, open_supervisor
from hero_ctl.options import StoreOptions
from hero_ctl.output.console import echo
from hero_ctl.parameters import Argument
from hero_job.model.objects.acl import acl_change
from hero_job.operations.objects.acl_changes import AclChanges

AclWord = Annotated[str, Argument(metavar="CHANGE", help="grant or revoke a right; join or leave a group.")]


def acl_show(*, context: ContextId, store: StoreOptions) -> None:
    """Print who may do what with the objects of a context, besides its owner, as JSON."""
    with open_supervisor(store) as supervisor:
        acl = supervisor.store.drive(AclChanges(namespace_of(store)).read(operator(context)))
    echo(json.dumps(acl.as_json(), indent=2, ensure_ascii=False))


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
        supervisor.store.drive(
            AclChanges(namespace_of(store)).change(operator(context), acl_change(change, to, member))
        )
