"""The door for web events: the snippet, `POST /v1/events`, and what becomes of an event on its way to the log."""
