"""closedloop crm: connecting a CRM by its token, reading it again, and how far it is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

import typer

from app.commands.terminal import fail, print_rows

crm = typer.Typer(help="Ask CRMs what changed: no public address and no developer app is needed.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
ConnectionId = Annotated[str, typer.Argument(help="The connection's ID.", show_default=False)]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", envvar="CLOSEDLOOP_CRM_TOKEN", show_envvar=True, help="API token of the CRM; asked for if not given."),
]
Repeated = list[str]


@crm.command("connect")
def connect(
    provider: Annotated[str, typer.Argument(help="hubspot, salesforce, pipedrive or stripe.", show_default=False)],
    token: TokenOption = None,
    site: SiteOption = "default",
    connection_id: Annotated[str | None, typer.Option("--id", help="ID of the new connection; the provider's name if not said.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Where its API is, if not where its provider's usually is.")] = None,
    pipeline: Annotated[Repeated, typer.Option(help="A pipeline whose deals count, by ID or name. Several times for several.")] = [],  # noqa: B006 - typer copies it
    won: Annotated[Repeated, typer.Option(help="A stage that means won.")] = [],  # noqa: B006
    lost: Annotated[Repeated, typer.Option(help="A stage that means lost.")] = [],  # noqa: B006
    ignored: Annotated[Repeated, typer.Option(help="A stage in which a deal does not count.")] = [],  # noqa: B006
    months: Annotated[int, typer.Option(min=1, max=600, help="How far back to read.")] = 12,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what the CRM and the other options say.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Read it here and now, instead of leaving it to the service.")] = False,
) -> None:
    """Connect a CRM: check the token, choose what its stages mean, look at ten deals, and begin to read.

    The service then asks every ten minutes what changed. Webhooks can be added later: they make it immediate.
    """
    from app.commands.crm_connecting import Wanted, connect_crm

    named = {"won": won, "lost": lost, "ignored": ignored}
    wanted = Wanted(provider, connection_id or provider, token, base_url, pipeline, named, months, is_asked=not yes, at_once=once)
    connect_crm(site, wanted)


@crm.command("sync")
def sync(
    connection_id: ConnectionId,
    site: SiteOption = "default",
    since: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Read everything again that changed since that day; else what is new.")
    ] = None,
    kind: Annotated[Repeated, typer.Option(help="Only contacts, leads, deals, stages or activities. Several times for several.")] = [],  # noqa: B006
) -> None:
    """Read a CRM again, page by page, here and now. What is known already changes nothing."""
    from app.commands.crm_connecting import sync_crm

    sync_crm(site, connection_id, kind, _day(since))


@crm.command("reconcile")
def reconcile(
    connection_id: ConnectionId,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="Which month, by close date.")],
    site: SiteOption = "default",
    told: Annotated[bool, typer.Option("--told", help="Ask nothing: go by what the CRM stated before, else by what it has told.")] = False,
) -> None:
    """Ask a CRM for the deals won in a month, and show each that our figures have otherwise, with the reason."""
    from app.commands.reconciling import reconcile

    reconcile(site, connection_id, month, is_asked=not told)


@crm.command("status")
def status(site: SiteOption = "default") -> None:
    """Show what waits to be fetched from CRMs, and how far each has been read."""
    from app.commands.running import now, opened, run
    from app.crm.waiting import calls_of_site

    async def load() -> list[dict[str, Any]]:
        async with opened() as database, database.read() as connection:
            return await calls_of_site(connection, site, now())

    print_rows(_STATUS_COLUMNS, [row for each in run(load()) for row in _status_rows(each)])


_STATUS_COLUMNS = ("connection", "what", "records", "waiting", "stuck", "oldest", "finished", "next", "trouble")


def _status_rows(each: dict[str, Any]) -> list[tuple[object, ...]]:
    """A row for its fetches, one for each kind that is polled, one for each pause."""
    fetches, polls, paused = each["fetches"], each["polls"], each["paused"]
    name, trouble = each["id"], fetches["last_error"]
    if trouble is None and fetches["waiting"] and not each["has_api_token"]:
        trouble = "the connection has no api_token"
    waiting = (fetches["waiting"], fetches["stuck"], _at(fetches["oldest_at"]))
    rows: list[tuple[object, ...]] = [(name, "fetches", "", *waiting, "", "", trouble)]
    for poll in polls:
        read = (poll["records"], "", "", "", _at(poll["finished_at"]), _at(poll["next_try_at"]), poll["last_error"])
        rows.append((name, f"poll {poll['kind']}", *read))
    rows += [(name, f"pause {each['kind'] or 'of every call'}", "", "", "", "", "", _at(each["until"]), each["reason"]) for each in paused]
    return rows


def _at(moment: datetime | None) -> str:
    """To the second, in UTC: a table has little room."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        fail(f"--since {text!r} is not a day such as 2026-01-31.")
