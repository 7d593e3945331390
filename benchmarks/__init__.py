"""Benchmarks: ratios of one run, printed as tables. Not shipped in the wheel."""
