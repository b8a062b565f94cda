"""Benchmarks: ratios of medians, taken in one run on one machine, never asserted in a test."""
