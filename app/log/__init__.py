"""The log: the one place where facts are written, many callers in one transaction."""

from app.log.facts import Fact, Outcome, Refused
from app.log.group_commit import Log

__all__ = ["Fact", "Log", "Outcome", "Refused"]
