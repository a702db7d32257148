"""Which of a job's variables a program gets, for any names and values that a submitter may choose."""

from __future__ import annotations

import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hero_engine.errors import EngineUnavailable
from hero_engine.heroscript_engine.run.settings import EngineSettings
from hero_engine.host.environment import PREFIX, allowed_names, program_environ
from hero_engine.host.programs import PATH

BASE = {"PATH": PATH, "LANG": "C.UTF-8"}
#: Names that make some program run what they name, or read it.
HOSTILE = (
    *("BASH_ENV", "BASH_FUNC_ls%%", "BASHOPTS", "ENV", "IFS", "PS4", "SHELLOPTS", "SHELL", "CDPATH", "PROMPT_COMMAND"),
    *("PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "GLIBC_TUNABLES"),
    *("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "PERL5LIB", "PERL5OPT", "PERLLIB", "PERL5DB"),
    *("RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH", "npm_config_script_shell", "JAVA_TOOL_OPTIONS", "CLASSPATH"),
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_EXEC_PATH", "GIT_ASKPASS", "GIT_PAGER", "GIT_DIR"),
    *("SSH_ASKPASS", "SSH_AUTH_SOCK", "EDITOR", "VISUAL", "PAGER", "LESSOPEN", "BROWSER", "TMPDIR", "HOME"),
    *("XDG_CONFIG_HOME", "http_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "SSLKEYLOGFILE", "CURL_HOME", "RES_OPTIONS"),
    *("HERO_REDIS_URL", "HERO_INCARNATION", "HERO_JOB_ENV", "JOB_ID", "CALLER_ID", "SIGNATORIES", "JOB_ENV_A"),
    *("SUDO_ASKPASS", "DBUS_SESSION_BUS_ADDRESS", "NOTIFY_SOCKET", "LOCPATH", "TERMINFO", "HOSTALIASES", "FPATH"),
)
names = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(HOSTILE).map(str.lower), st.text(max_size=12))
variables = st.dictionaries(names, st.one_of(st.text(max_size=20), st.integers(), st.none()), max_size=8)


@settings(deadline=None)
@given(variables=variables, allowed=st.lists(names, max_size=8))
def test_a_variable_has_its_prefix_or_is_one_that_the_operator_lists(
    variables: dict[str, object], allowed: list[str]
) -> None:
    environ = program_environ(variables, base=BASE, allowed=allowed)

    assert {name: environ[name] for name in BASE} == BASE
    for name in environ.keys() - BASE.keys():
        assert name.startswith(PREFIX) or (name in allowed and name in variables)
    for name in HOSTILE:
        assert environ.get(name) == BASE.get(name) or (name.startswith(PREFIX) and name[len(PREFIX) :] in variables)


@settings(deadline=None)
@given(variables=variables)
def test_every_environment_can_be_given_to_a_program(variables: dict[str, object]) -> None:
    environ = program_environ(variables, base=BASE)

    # What Popen does with it: it raises for what the kernel would not take.
    for name, value in environ.items():
        assert b"\0" not in os.fsencode(name) + os.fsencode(value)
        assert "=" not in name


@pytest.mark.parametrize("name", HOSTILE)
def test_no_setting_of_the_operator_lets_a_hostile_name_pass(name: str) -> None:
    assert name not in program_environ({name: "x"}, base={}, allowed=(name,)) or name.startswith(PREFIX)
    if "%" not in name:
        with pytest.raises(ValueError, match=f"{name} changes what programs do"):
            allowed_names(f"COLOR,{name}")


def test_every_variable_keeps_its_value_under_the_prefix() -> None:
    environ = program_environ({"COLOR": "red", "LD_PRELOAD": "x.so"}, base=BASE, allowed=("COLOR",))
    seen = subprocess.run(["/usr/bin/env"], env=environ, capture_output=True, text=True, check=True).stdout.split()

    assert set(seen) - {f"{name}={value}" for name, value in BASE.items()} == {
        *("COLOR=red", "JOB_ENV_COLOR=red", "JOB_ENV_LD_PRELOAD=x.so"),
    }


def test_actor_with_a_hostile_name_in_its_list_does_not_start() -> None:
    with pytest.raises(EngineUnavailable, match="BASH_ENV changes what programs do"):
        EngineSettings.from_environ({"HERO_JOB_ENV": "COLOR, BASH_ENV"})
