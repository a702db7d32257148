"""Two examples for the help of each command. A test runs every one of them, in this order.

They are about a job named report-1 and a schedule named nightly, so that they can be typed as they are.
"""

from __future__ import annotations

from typing import Final

#: By the command's name as noun and verb, or as it is called where it has no noun.
EXAMPLES: Final[dict[str, tuple[str, str]]] = {
    "job run": ("heroctl run '40 + 2'", "heroctl run --type osis --timeout 2m hello.rhai -- bob 3"),
    "job submit": (
        "heroctl submit --id report-1 'print(`begun`); 6 * 7'",
        "heroctl submit --id report-2 --after report-1 --retries 3 'PREREQUISITE_VALUES[`report-1`] * 2'",
    ),
    "job wait": ("heroctl wait report-1 report-2", "heroctl list -o name --grep report | heroctl wait - --timeout 1m"),
    "job list": (
        "heroctl list --status finished --status error --since 2h",
        "heroctl list -o wide --type sal --grep report --limit 10",
    ),
    "job show": ("heroctl show report-1", "heroctl show report-1 -o yaml"),
    "job status": ("heroctl status report-1", "heroctl status report-1 report-2"),
    "job output": ("heroctl output report-1", "heroctl output report-1 --wait 1m"),
    "job logs": ("heroctl logs report-1 --tail 20 --timestamps", "heroctl logs report-1 --follow"),
    "job events": ("heroctl events --job report-1", "heroctl events --actors --json"),
    "job stop": ("heroctl stop report-1", "heroctl stop --all --status started --since 1h --dry-run"),
    "job retry": (
        "heroctl retry --all --status error --kind timeout --since 1d --dry-run",
        "heroctl list -o name --status error --since 1m --grep nothing | heroctl retry - --dry-run",
    ),
    "job delete": (
        "heroctl delete report-2 --yes",
        "heroctl delete --all --status finished --caller nobody --until 30d --dry-run",
    ),
    "queue list": ("heroctl queues", "heroctl queue list -o json"),
    "queue pause": ("heroctl pause v", "heroctl queue pause sal --group io"),
    "queue resume": ("heroctl resume v", "heroctl queue resume sal --group io"),
    "queue purge": ("heroctl queue purge v --yes", "heroctl queue purge sal --group io --yes"),
    "dead list": ("heroctl dead list", "heroctl dead list --limit 5 -o jsonl"),
    "dead retry": ("heroctl dead retry --yes", "heroctl dead list -o name | heroctl dead retry -"),
    "dead purge": ("heroctl dead purge --yes", "heroctl dead purge -y"),
    "schedule add": (
        "heroctl schedule add nightly --cron '30 2 * * *' --tz Europe/Brussels '6 * 7'",
        "heroctl schedule add often --every 2h30m --missed skip hello.rhai",
    ),
    "schedule list": ("heroctl schedule list", "heroctl schedule list -o json"),
    "schedule show": ("heroctl schedule show nightly", "heroctl schedule show nightly -o yaml"),
    "schedule run": ("heroctl schedule run nightly", 'heroctl output --wait 1m "$(heroctl schedule run nightly)"'),
    "schedule pause": ("heroctl schedule pause nightly", "heroctl schedule pause often"),
    "schedule resume": ("heroctl schedule resume nightly", "heroctl schedule resume often"),
    "schedule delete": ("heroctl schedule delete often", "heroctl schedule delete nightly --yes"),
    "batch list": ("heroctl batch list", "heroctl batch list --limit 5 -o json"),
    "batch show": ("heroctl batch show monthly", "heroctl batch show monthly -o json"),
    "batch jobs": ("heroctl batch jobs monthly", "heroctl batch jobs monthly -o name"),
    "batch wait": ("heroctl batch wait monthly", "heroctl batch wait monthly --timeout 10m"),
    "actor list": ("heroctl actors", "heroctl actor list -o wide"),
    "actor show": ("heroctl actors show sal", "heroctl actor show sal --json"),
    "actor logs": ("heroctl actors logs sal", "heroctl actor logs osis --tail 5"),
    "actor scale": ("heroctl scale sal 2", "heroctl actor scale sal 1"),
    "actor restart": ("heroctl actors restart sal", "heroctl actor restart sal --wait 1m"),
    "actor stop": ("heroctl actors stop osis", "heroctl actor stop osis"),
    "actor start": ("heroctl actors start osis", "heroctl actor start osis"),
    "actor reload": ("heroctl reload", "heroctl actor reload --no-wait"),
    "key create": (
        "heroctl keys create alice --scope user --expires 30d",
        "heroctl key create metrics --scope read",
    ),
    "key list": ("heroctl keys list", "heroctl key list -o json"),
    "key revoke": ("heroctl keys revoke alice", "heroctl key revoke metrics --yes"),
    "stats": ("heroctl stats", "heroctl stats --span 1d --by 1h --type sal"),
    "top": ("heroctl top", "heroctl top -o json"),
    "whoami": ("heroctl whoami", "heroctl whoami -o json"),
    "rpc": (
        "heroctl rpc stats",
        """heroctl rpc run_job '{"script": "40 + 2", "script_type": "sal"}'""",
    ),
    "ui": ("heroctl ui", "heroctl ui --port 8321"),
    "completion": ("heroctl completion bash", "heroctl completion fish"),
    "init": (
        "heroctl init --for single --file single.toml --yes",
        "heroctl init --for cluster --redis-url redis://10.0.0.5:6379/ --file cluster.toml --yes",
    ),
    "config where": ("heroctl config where", "heroctl config where --json"),
    "bench": ("heroctl bench --jobs 200", "heroctl bench --jobs 200 --type osis --json"),
    "functions": ("heroctl functions encode", "heroctl functions --type sal"),
    "check": ("heroctl check hello.rhai", "heroctl check hello.rhai --type sal --strict"),
    "heroscript check": ("heroctl heroscript check hello.md", "heroctl heroscript check . --json"),
    "heroscript fmt": ("heroctl heroscript fmt hello.md", "heroctl heroscript fmt --write ."),
    "osis list": ("heroctl osis list", "heroctl osis list --context carol"),
}


def epilog(command: str, exit_codes: str) -> str:
    """The end of a command's help: what its exit codes mean, and its examples.

    Args:
        command: Its name as in `EXAMPLES`.
        exit_codes: The sentence about them.
    """
    # An empty line keeps the lines apart; a single line feed would join them.
    lines = ["Examples:", *EXAMPLES[command]] if command in EXAMPLES else []
    # Square brackets are markup in a help text.
    return "\n\n".join(line.replace("[", "\\[") for line in (exit_codes, *lines))
