"""Visitors' events -> sessions, touches and goals; origins -> channels. Computed visitor by visitor."""
