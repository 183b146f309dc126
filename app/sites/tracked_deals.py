"""Which events of a tracking plan are facts of deals, and which of their properties say what of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

PropertyName = Annotated[str, Field(min_length=1, max_length=100)]
PropertyNames = Annotated[list[PropertyName], Field(min_length=1, max_length=10)]


class TrackedDeal(BaseModel):
    """An event of Segment's SDKs that is a fact of a deal. The defaults are the names of Segment's e-commerce events."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: Annotated[str, Field(min_length=1, max_length=500)] = Field(description="Name of the event, in either case: `Order Completed`.")
    outcome: Literal["won", "lost", "open", "refunded"] = Field(
        "won", description="The deal was won, or lost, is open, or so much of it was paid back: all, where it names no amount."
    )
    id: PropertyNames = Field(["order_id"], description="Properties that may hold the deal's ID; the first that is sent counts.")
    amount: PropertyNames = Field(["revenue", "total", "value"], description="Properties that may hold the amount, in whole units.")
    currency: PropertyNames = Field(["currency"], description="Properties that may hold the ISO 4217 currency; none: the site's.")
    write_key: bool = Field(
        False, description="Whether the public write key, too, may say so. Anybody who reads it in a web page can then make up deals."
    )
