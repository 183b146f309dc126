"""closedloop models: weights of milestones that a site names itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.terminal import print_rows, say

if TYPE_CHECKING:
    from app.sites.weights import OwnModel

models = typer.Typer(help="Models of a site's own.", no_args_is_help=True)

SiteOption = Annotated[str, typer.Option("--site", help="Which site.")]
Name = Annotated[str, typer.Argument(help="The model's name, as reports take it in `model=`.", show_default=False)]
First = Annotated[str | None, typer.Option(help="Per cent to the first touch.")]
Lead = Annotated[str | None, typer.Option(help="Per cent to the last touch at or before the lead.")]
Opportunity = Annotated[str | None, typer.Option(help="Per cent to the last touch at or before the opportunity.")]
Last = Annotated[str | None, typer.Option(help="Per cent to the last touch.")]
Rest = Annotated[str | None, typer.Option(help="Per cent over all other touches.")]


@models.command("list")
def list_models(site: SiteOption = "default") -> None:
    """List a site's own models."""
    from app.commands.running import opened, run, site_of

    async def load() -> tuple[OwnModel, ...]:
        async with opened() as database:
            return (await site_of(database, site)).models

    _print(run(load()))


@models.command("create")
def create_model(
    name: Name, site: SiteOption = "default",
    first: First = None, lead: Lead = None, opportunity: Opportunity = None, last: Last = None, rest: Rest = None,
) -> None:  # fmt: skip
    """Make a model; the weights add up to 100: `closedloop models create ours --first 40 --lead 30 --last 20 --rest 10`."""
    from app.attribution import own_models
    from app.commands.running import now, opened, run

    weights = _given(first=first, lead=lead, opportunity=opportunity, last=last, rest=rest)

    async def create() -> OwnModel:
        async with opened() as database, database.write() as connection:
            return await own_models.create_model(connection, site, {"name": name, "weights": weights}, now())

    _print([run(create())])


@models.command("change")
def change_model(
    name: Name, site: SiteOption = "default",
    first: First = None, lead: Lead = None, opportunity: Opportunity = None, last: Last = None, rest: Rest = None,
) -> None:  # fmt: skip
    """Change weights; those that are not given stay. Reports under this name follow at once."""
    from app.attribution import own_models
    from app.commands.running import now, opened, run

    weights = _given(first=first, lead=lead, opportunity=opportunity, last=last, rest=rest)

    async def change() -> OwnModel:
        async with opened() as database, database.write() as connection:
            return await own_models.change_model(connection, site, name, {"weights": weights}, now())

    _print([run(change())])


@models.command("delete")
def delete_model(name: Name, site: SiteOption = "default") -> None:
    """Remove a model. Nothing else changes."""
    from app.attribution import own_models
    from app.commands.running import now, opened, run

    async def delete() -> None:
        async with opened() as database, database.write() as connection:
            await own_models.delete_model(connection, site, name, now())

    run(delete())
    say(f"Removed the model {name}.")


def _given(**weights: str | None) -> dict[str, str]:
    return {name: weight for name, weight in weights.items() if weight is not None}


def _print(found: tuple[OwnModel, ...] | list[OwnModel]) -> None:
    columns = ("model", "first", "lead", "opportunity", "last", "rest", "changed_at")
    print_rows(columns, [(each.name, *each.weights.as_numbers().values(), each.changed_at) for each in found])
