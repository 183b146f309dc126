"""closedloop notices: where a site is told what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.terminal import fail, print_rows, say

if TYPE_CHECKING:
    from app.notices.receivers import Receiver

notices = typer.Typer(help="Have others told of changes of stages, contacts that are due, and hot visits.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
EndpointId = Annotated[str, typer.Argument(help="The endpoint's ID.", show_default=False)]
KindOption = Annotated[
    list[str], typer.Option("--kind", help="stage_changed, contact_due or hot_visit. Several times for several; none: all.")
]


@notices.command("list")
def list_endpoints(site: SiteOption = "default") -> None:
    """List a site's notice endpoints, and what waits for them."""
    from app.commands.running import opened, run
    from app.notices.receivers import load_receivers
    from app.notices.shown import notices_of_site

    async def load() -> tuple[list[Receiver], list[dict[str, Any]]]:
        async with opened() as database, database.read() as connection:
            return await load_receivers(connection, site), await notices_of_site(connection, site)

    found, states = run(load())
    rows = [
        (
            each.endpoint_id, each.fields.url, each.fields.format, " ".join(each.fields.kinds), state["waiting"], state["delivered"],
            state["given_up"], state["disabled_because"] or state["last_error"],
        )
        for each, state in zip(found, states, strict=True)
    ]  # fmt: skip
    print_rows(("endpoint", "url", "format", "kinds", "waiting", "delivered", "given up", "trouble"), rows)


@notices.command("create")
def create_endpoint(
    endpoint_id: EndpointId,
    url: Annotated[str, typer.Argument(help="Where to post to.", show_default=False)],
    kinds: KindOption = [],  # noqa: B006 - typer copies it
    format_: Annotated[str, typer.Option("--format", help="standard (signed) or slack (a text that chat systems show).")] = "standard",
    secret: Annotated[str | None, typer.Option(help="Signing secret, whsec_…; made up if not given.")] = None,
    site: SiteOption = "default",
) -> None:
    """Make a notice endpoint. Prints its signing secret once."""
    from app.commands.running import now, opened, run, site_of
    from app.notices import receivers

    fields = {"id": endpoint_id, "url": url, "format": format_, "secret": secret, **({"kinds": kinds} if kinds else {})}

    async def create() -> Receiver:
        async with opened() as database:
            await site_of(database, site)
            async with database.write() as connection:
                return await receivers.create_receiver(connection, site, fields, now())

    made = run(create())
    print_rows(("endpoint", "secret"), [(made.endpoint_id, made.secrets[0])])


@notices.command("change")
def change_endpoint(
    endpoint_id: EndpointId,
    url: Annotated[str | None, typer.Option(help="Where to post to from now on.")] = None,
    kinds: KindOption = [],  # noqa: B006
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Send to it again, or not for now.")] = None,
    site: SiteOption = "default",
) -> None:
    """Change a notice endpoint; what waits for it is sent at once."""
    from app.commands.running import now, opened, run
    from app.notices import receivers

    given = {"url": url, "kinds": kinds or None, "disabled": None if enable is None else not enable}

    async def change() -> None:
        async with opened() as database, database.write() as connection:
            changes = {name: value for name, value in given.items() if value is not None}
            await receivers.change_receiver(connection, site, endpoint_id, changes, now())

    run(change())
    say(f"Changed {endpoint_id}.")


@notices.command("delete")
def delete_endpoint(endpoint_id: EndpointId, site: SiteOption = "default") -> None:
    """Forget a notice endpoint, and what waits for it."""
    from app.commands.running import opened, run
    from app.notices import receivers

    async def delete() -> None:
        async with opened() as database, database.write() as connection:
            await receivers.delete_receiver(connection, site, endpoint_id)

    run(delete())
    say(f"Forgot {endpoint_id}.")


@notices.command("test")
def send_test_message(endpoint_id: EndpointId, site: SiteOption = "default") -> None:
    """Send a message of type test now."""
    from app.commands.running import opened, run
    from app.notices.delivery import Answer, Notifier, send_test
    from app.notices.receivers import load_receiver
    from app.settings import settings

    async def send() -> Answer:
        async with opened() as database:
            async with database.read() as connection:
                receiver = await load_receiver(connection, site, endpoint_id)
            return await send_test(Notifier.configured(database, settings()), receiver)

    answer = run(send())
    if answer.error is not None:
        fail(f"it was not taken: {answer.error}")
    say(f"It was taken (HTTP {answer.status}).")
