"""Telling others what happens: endpoints of a site, what they are told, and the delivery of it."""
