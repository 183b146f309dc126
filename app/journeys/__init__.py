"""Conversions (the moments that count) and the touches that came before each."""
