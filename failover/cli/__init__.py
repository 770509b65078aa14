"""The command line. Each command lives in a module of its own and is imported when it is called."""

from __future__ import annotations

import importlib
import sys

import click

from failover.cli.exits import INTERRUPTED

COMMANDS = {
    "drill": "runs scenario files or folders and judges them",
    "search": "looks for the smallest fault schedule that breaks a config",
    "check": "validates a config and prints what each route can and cannot survive",
    "prices": "shows what every target costs, by whose word, and what changes next",
    "ledger": "sums up what was spent, by whom, and checks that it adds up",
    "decide": "explains a decision: order, passed over and why, quote",
    "cost": "simulates what a month costs, and what may make it dearer",
    "audit": "shows which target saw which data, and verifies that the trail is as it was written",
    "cassettes": "lists the episodes of vcrpy cassettes and how the router sees each",
    "record": "records cassettes from real endpoints, scrubbed, with timing",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"failover.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The list alone must not import every command.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # It can strike while a command is still being imported.
            sys.exit(INTERRUPTED)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="failover", prog_name="failover")
def main() -> None:
    """Decide which AI provider serves each request, and prove beforehand that it holds.

    Exit codes: 0 holds, 1 deviated, 2 unknown or invalid input.
    """
