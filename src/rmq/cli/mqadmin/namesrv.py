# SPDX-License-Identifier: Apache-2.0
"""updateKvConfig, deleteKvConfig, wipeWritePerm, addWritePerm: what name servers keep, asked of each of them"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ...remoting.errors import RemotingError
from .command import Command, CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from .command import Context, Parser


def _key_options(parser: Parser) -> None:
    parser.add_argument("-s", "--namespace", required=True, help="set the namespace")
    parser.add_argument("-k", "--key", required=True, help="set the key name")


def _put_options(parser: Parser) -> None:
    _key_options(parser)
    parser.add_argument("-v", "--value", required=True, help="set the key value")


def _put(arguments: argparse.Namespace, context: Context) -> None:
    context.admin.name_servers.put_kv_config(
        arguments.namespace.strip(), arguments.key.strip(), arguments.value.strip()
    )
    context.line("create or update kv config to namespace success.")


def _delete(arguments: argparse.Namespace, context: Context) -> None:
    context.admin.name_servers.delete_kv_config(arguments.namespace.strip(), arguments.key.strip())
    context.line("delete kv config from namespace success.")


def _perm_options(parser: Parser) -> None:
    parser.add_argument("-b", "--brokerName", required=True, help="broker name")


def _wipe(arguments: argparse.Namespace, context: Context) -> None:
    _change_perm("wipe", arguments.brokerName.strip(), context.admin.name_servers.wipe_write_perm, context)


def _add(arguments: argparse.Namespace, context: Context) -> None:
    _change_perm("add", arguments.brokerName.strip(), context.admin.name_servers.add_write_perm, context)


def _change_perm(verb: str, broker_name: str, change: Callable[[str, str], int], context: Context) -> None:
    """One name server that fails does not keep the others from being asked."""
    failures = []
    for address in context.admin.name_servers.addresses:
        say = partial("{} write perm of broker[{}] in name server[{}] {}".format, verb, broker_name, address)
        try:
            context.line(say(f"OK, {change(address, broker_name)}"))
        except RemotingError as error:
            failures.append(str(error))
            context.line(say("Failed"))
    if failures or not context.admin.name_servers.addresses:
        raise CommandError("; ".join(failures) or "no name server is given")


COMMANDS = [
    Command("updateKvConfig", "Create or update KV config.", _put_options, _put),
    Command("deleteKvConfig", "Delete KV config.", _key_options, _delete),
    Command(
        "wipeWritePerm",
        "Wipe write perm of broker in all name server you defined in the -n param.",
        _perm_options,
        _wipe,
    ),
    Command(
        "addWritePerm", "Add write perm of broker in all name server you defined in the -n param.", _perm_options, _add
    ),
]
