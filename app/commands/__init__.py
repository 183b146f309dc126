"""The commands of `closedloop`, by what they are about."""
