"""Misbehaviour on demand: what goes wrong is read from TOML, and asked for by the API, the relay and the queue.

in_force ── api_rule, relay_rule (rule) and queue_faults, all read through toml_table
misbehaving_api (canned_answer): stands before the API and does what its rules want
"""
