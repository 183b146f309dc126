"""What cells of a spreadsheet mean: dates as it writes them, amounts with its decimal mark, addresses in a row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.collect.fields import day_of, micros_of
from app.sites.addresses import normal_email
from app.tables import to_micros

_LOCAL_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}(:[0-9]{2})?)\Z")
_SIGNS = re.compile(r"^[-+]?\s*[€$£¥]\s*|\s*(€|\$|£|¥|[A-Z]{3})$")
_WITH_POINT = re.compile(r"-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?\Z")
_WITH_COMMA = re.compile(r"-?([0-9]{1,3}(\.[0-9]{3})+|[0-9]+)(,[0-9]+)?\Z")
_BETWEEN = re.compile(r"[;,\s]+")


@dataclass(frozen=True)
class Writing:
    """How a sheet writes its dates and amounts."""

    timezone: str
    date_format: str | None = None
    """As for `strptime`; None: ISO 8601."""
    has_decimal_comma: bool = False

    def moment(self, text: str, *, is_end: bool = False) -> int:
        """Microseconds of a date or a time; of a bare date its first instant in the zone, or its last. ValueError if it is none."""
        if self.date_format is None:
            return self._iso(text, is_end)
        try:
            found = datetime.strptime(text, self.date_format)  # noqa: DTZ007 - the zone is given below
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not a date as {self.date_format} writes it") from None
        has_time = "%H" in self.date_format or "%I" in self.date_format
        return self._instant(found) if has_time else self._of_day(found.date(), is_end)

    def day(self, text: str) -> str:
        """The local day of a date or a time, YYYY-MM-DD. ValueError if it is none."""
        moment = datetime.fromtimestamp(self.moment(text) // 1_000_000, ZoneInfo(self.timezone))
        return moment.date().isoformat()

    def amount(self, text: str) -> str:
        """An amount as a plain decimal number. ValueError if it is none, or its decimal mark is not the one said."""
        bare = _SIGNS.sub(lambda found: "-" if found[0].startswith("-") else "", text.replace("\u00a0", " ").strip())
        bare = bare.replace(" ", "").replace("'", "").replace("\u2019", "")
        if self.has_decimal_comma:
            if not _WITH_COMMA.match(bare):
                raise ValueError(f"{text[:40]!r} is not an amount with a decimal comma")
            return bare.replace(".", "").replace(",", ".")
        if not _WITH_POINT.match(bare):
            hint = "; is it --decimal-comma?" if _WITH_COMMA.match(bare) else ""
            raise ValueError(f"{text[:40]!r} is not an amount with a decimal point{hint}")
        return bare.replace(",", "")

    def _iso(self, text: str, is_end: bool) -> int:
        try:
            return self._of_day(date.fromisoformat(day_of(text)), is_end)
        except ValueError:
            pass
        if local := _LOCAL_TIME.match(text):
            return self._instant(datetime.fromisoformat(f"{local[1]} {local[2]}"))
        try:
            return micros_of(text)
        except ValueError:
            raise ValueError(f"{text[:40]!r} is not a date such as 2026-01-31; another writing needs --date-format") from None

    def _of_day(self, day: date, is_end: bool) -> int:
        return self._instant(datetime.combine(day + timedelta(days=is_end), time())) - is_end

    def _instant(self, local: datetime) -> int:
        found = to_micros(local.replace(tzinfo=ZoneInfo(self.timezone)))
        if not found >= 0:
            raise ValueError("a time before 1970")
        return found


def addresses(text: str) -> list[str]:
    """The e-mail addresses of a cell, separated by semicolons, commas or spaces. ValueError if one is none."""
    found = [each for each in _BETWEEN.split(text) if each]
    for each in found:
        if normal_email(each) is None:
            raise ValueError(f"{each[:60]!r} is not an e-mail address")
    return found
