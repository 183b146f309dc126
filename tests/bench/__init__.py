"""Benchmarks: run by `make bench`. They print ratios measured in one run, and assert no absolute time."""
