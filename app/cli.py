"""`closedloop`: every command, its options and its help. What a command does stands in `app.commands`.

What is slow to import is imported by the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.commands.connections import connections
from app.commands.crm import crm
from app.commands.keys import keys
from app.commands.models import models
from app.commands.notices import notices
from app.commands.people import people
from app.commands.quarantine import quarantine
from app.commands.segments import segments
from app.commands.sites import sites

app = typer.Typer(
    name="closedloop",
    help="Which marketing touches led to the deals that the CRM really closed.",
    epilog="Settings come from CLOSEDLOOP_* variables or a .env file in the working directory; see docs/settings.md.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    # Its tracebacks show local variables, which hold keys.
    pretty_exceptions_enable=False,
)
app.add_typer(sites, name="sites")
app.add_typer(keys, name="keys")
app.add_typer(connections, name="connections")
app.add_typer(crm, name="crm")
app.add_typer(models, name="models")
app.add_typer(notices, name="notices")
app.add_typer(segments, name="segments")
app.add_typer(quarantine, name="quarantine")
app.add_typer(people, name="people")

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]


class FileFormat(StrEnum):
    """What an imported file holds."""

    JSONL = "jsonl"
    CSV = "csv"
    PATHS = "paths"
    DEALS = "deals"
    TOUCHES = "touches"


def main() -> None:
    """The console script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        from app.commands.complaints import complaint

        words = complaint(error)
        if words is None:
            raise
        print(f"closedloop: {words}", file=sys.stderr)
        sys.exit(1)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free one.")] = 8000,
    no_pipeline: Annotated[bool, typer.Option("--no-pipeline", help="Only collect and answer; `closedloop worker` computes.")] = False,
) -> None:
    """Run the service: bring the database up to date, collect, compute, and answer.

    At the first start it makes the site `default` and prints its keys once (or takes those of CLOSEDLOOP_WRITE_KEY and
    CLOSEDLOOP_SECRET_KEY). SIGTERM and Ctrl-C end it in good order.
    """
    from app.commands.serving import serve_until_stopped

    serve_until_stopped(host, port, run_pipeline=not no_pipeline)


@app.command()
def worker() -> None:
    """Run the pipeline alone, beside `closedloop serve --no-pipeline`. At most one works on each site; others wait."""
    from app.commands.serving import work_until_stopped

    work_until_stopped()


class Consent(StrEnum):
    """When pages may keep a cookie."""

    ALWAYS = "always"
    OPT_IN = "opt-in"
    COOKIELESS = "cookieless"


@app.command()
def snippet(
    site: SiteOption = "default",
    url: Annotated[str | None, typer.Option(help="Address of this service, as browsers reach it. Else CLOSEDLOOP_PUBLIC_URL.")] = None,
    consent: Annotated[Consent | None, typer.Option(help="When to keep a cookie, if not as the site's settings say.")] = None,
    domains: Annotated[str | None, typer.Option(help="The site's domains, with commas, if it has several: links carry visitors.")] = None,
    form_fields: Annotated[str | None, typer.Option(help="Names of form fields to be sent, with commas, beside the e-mail.")] = None,
    hash_routes: Annotated[bool, typer.Option("--hash", help="Addresses that differ after the # are pages.")] = False,
    embedded_forms: Annotated[bool, typer.Option("--embedded-forms", help="Hear of forms, calendars and chats of others.")] = False,
    integrity: Annotated[bool, typer.Option(help="With the hashes.")] = True,
) -> None:
    """Print the tags to paste into a site's pages, with the hashes by which browsers make sure of the scripts.

    A page whose hashes are of another version loads nothing: paste them anew with each update, or go without.
    """
    from app.collect.snippet import Wishes
    from app.commands.snippet import print_tags

    print_tags(site, url, Wishes(consent and consent.value, domains, form_fields, hash_routes, embedded_forms, integrity))


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="Print the credit and exit.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to serve on; 0 for any free one.")] = 0,
) -> None:
    """Show what it does: a month of made-up traffic, sent to the real service, and the credit of each channel.

    It has a database of its own, remade each time, and touches neither yours nor your .env.
    """
    from app.commands.serving import demonstrate

    demonstrate(port, once=once)


class TruthFormat(StrEnum):
    """How the truth bench shows what it found."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


@app.command()
def truth(
    market: Annotated[list[str], typer.Option(help="Play this market, in detail; several times for several. All if not said.")] = [],  # noqa: B006 - typer copies it
    people: Annotated[int, typer.Option(min=1, help="People in each market; more take longer and leave less to luck.")] = 4_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same figures.")] = 1,
    form: Annotated[TruthFormat, typer.Option("--format", help="How to show it.")] = TruthFormat.TABLE,
) -> None:
    """Measure every model against a truth that is known: simulated markets, told to the real pipeline.

    Each market has people, channels that move them or do not, and the losses of real data: forgotten cookies, shared
    browsers, late deals, addresses typed in after an ad, people who would have bought anyway. What each channel caused
    is known, because the same people are asked again without it. It has a database of its own, which is thrown away.
    """
    from app.commands.truth import tell_the_truth
    from app.truth.markets import MARKETS

    if unknown := [name for name in market if name not in MARKETS]:
        raise typer.BadParameter(f"there is no market {unknown[0]!r}; there are {', '.join(MARKETS)}", param_hint="--market")
    tell_the_truth(market, people=people, seed=seed, form=form)


class AnswerFormat(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


@app.command()
def holdout(
    channel: Annotated[str, typer.Argument(help="The channel that the experiment was about.", show_default=False)],
    shown_people: Annotated[int, typer.Option(help="People whom it was shown to.")],
    shown_conversions: Annotated[int, typer.Option(help="How many of them converted.")],
    held_out_people: Annotated[int, typer.Option(help="People, chosen at random, whom it was kept from.")],
    held_out_conversions: Annotated[int, typer.Option(help="How many of them converted all the same.")],
    conversion: Annotated[str, typer.Option(help="What was counted.")] = "customer",
    model: Annotated[str, typer.Option(help="Whose credit to compare it with.")] = "all",
    from_day: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day counted.")] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="First day not counted.")] = None,
    site: SiteOption = "default",
    form: Annotated[AnswerFormat, typer.Option("--format", help="How to show it.")] = AnswerFormat.TABLE,
) -> None:
    """Compare a channel's credit with an experiment: conversions of people whom it was shown to, and of people held out.

    Says how many conversions it really made, with a 95 % interval, and which models credit it with more, or less.
    """
    from app.commands.holdout import compare_holdout

    asked = {
        "channel": channel,
        "shown_people": shown_people,
        "shown_conversions": shown_conversions,
        "held_out_people": held_out_people,
        "held_out_conversions": held_out_conversions,
        "conversion": conversion,
        "model": model,
        "from": from_day,
        "to": to_day,
    }
    compare_holdout(site, asked, form)


@app.command()
def doctor(
    conversion: Annotated[str, typer.Option(help="Which conversions are affected: customer, lead, a goal, ….")] = "customer",
    from_day: Annotated[str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="First day looked at; 90 days ago.")] = None,
    to_day: Annotated[str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="First day not looked at; tomorrow.")] = None,
    site: SiteOption = "default",
    form: Annotated[AnswerFormat, typer.Option("--format", help="How to show it.")] = AnswerFormat.TABLE,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 where there is an error.")] = False,
) -> None:
    """Look for what is wrong with the tracking: each finding with the conversions and money it affects, and what to change.

    Own pages and payment gateways as sources, paid clicks without a campaign, names spelled in several ways, pages that have
    gone silent, deals that cannot be credited, leads that never reach the CRM, and more. It changes nothing.
    """
    from app.commands.doctor import examine

    examine(site, {"conversion": conversion, "from": from_day, "to": to_day}, form, is_strict=strict)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The file to read.")],
    file_format: Annotated[FileFormat | None, typer.Option("--format", help="What it holds; by its name if not said.")] = None,
    site: SiteOption = "default",
    url: Annotated[str | None, typer.Option(help="Send to a service over HTTP; else straight into the database.")] = None,
    key: Annotated[str | None, typer.Option(envvar="CLOSEDLOOP_SECRET_KEY", help="Secret key of that service.", show_envvar=True)] = None,
    ending: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="For paths: the day on which the journeys end.")] = "2026-01-01",
    currency: Annotated[str | None, typer.Option(help="For paths and deals: currency of the values; the site's if not said.")] = None,
    map_: Annotated[list[str], typer.Option("--map", metavar="FIELD=COLUMN", help="Sheets: which column holds what.")] = [],  # noqa: B006
    date_format: Annotated[str | None, typer.Option(metavar="%d.%m.%Y", help="Sheets: how dates are written; ISO if not said.")] = None,
    decimal_comma: Annotated[bool, typer.Option("--decimal-comma", help="Sheets: amounts are written 1.234,56.")] = False,
    space: Annotated[str, typer.Option(help="For deals: the connection whose deals they are.")] = "generic",
    won: Annotated[list[str], typer.Option(help="For deals: a status or stage that means won, beside 'won'.")] = [],  # noqa: B006
    lost: Annotated[list[str], typer.Option(help="For deals: one that means lost, beside 'lost'.")] = [],  # noqa: B006
    replace: Annotated[bool, typer.Option("--replace", help="For deals: delete what earlier sheets had and this one has not.")] = False,
    list_name: Annotated[str | None, typer.Option("--list", help="For touches: the list that they replace; the file's name.")] = None,
    counts: Annotated[list[str], typer.Option(metavar="STATUS,…", help="For touches: statuses that count; attended, responded.")] = [],  # noqa: B006
    channel: Annotated[str, typer.Option(help="For touches: channel of rows that say neither channel, source nor medium.")] = "Events",
    campaign: Annotated[str | None, typer.Option(help="For touches: campaign of rows that say none.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sheets: import without asking.")] = False,
) -> None:
    """Bring in a file of events, a table of journeys, or a sheet of deals or touches. Doing it again brings nothing new.

    jsonl: one event a line, as POST /v1/events takes it. csv: one event a row; the columns are its fields
    (`deal.amount`, `deal.company.name`, `properties.plan`), `deal.contacts` e-mails separated by semicolons. Every
    event needs `type` and `occurred_at`; without an `id`, one follows from its content.

    paths: one row a path of channels: `path` (separated by ' > '), `total_conversions`, `total_conversion_value`,
    `total_null`. Each journey becomes one visitor, each touch a session of its own a day after the one before it, the
    last a day before `--ending`, and a journey that converted ends in a deal won on that day. Values are rounded per
    row to the currency's minor unit, and the difference is told.

    deals: one deal a row, by its ID; touches: one offline touch a row (who was at an event), by e-mail or phone. Both show
    what the first ten rows become, and ask. The same sheet again, corrected, takes the place of the one before.

    A line that cannot be taken is named and set aside (`closedloop quarantine`; of a sheet only named); the rest goes on.
    """
    if file_format in (FileFormat.DEALS, FileFormat.TOUCHES):
        from app.commands.importing_sheets import SheetOptions, import_sheet

        if url is not None:
            raise typer.BadParameter("a sheet goes straight into the database", param_hint="--url")
        options = SheetOptions(
            map_, date_format, decimal_comma, currency, space, won, lost, replace, list_name, counts, channel, campaign, yes
        )
        import_sheet(file, file_format, site, options)
        return
    from app.commands.importing import import_file

    import_file(file, file_format, site=site, url=url, key=key, ending=ending, currency=currency)


@app.command()
def rebuild(site: SiteOption = "default") -> None:
    """Compute everything after the log anew, in small steps, while the service goes on.

    A running worker does it, and this command watches; where none runs, it does it itself.
    """
    from app.commands.recomputing import rebuild_site

    rebuild_site(site)


@app.command()
def check(site: SiteOption = "default") -> None:
    """Prove that what is stored is what the log gives: compute every stage again, compare, and write nothing.

    Exit code 1, and a line for each table that differs, if it is not.
    """
    from app.commands.recomputing import check_site

    check_site(site)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
