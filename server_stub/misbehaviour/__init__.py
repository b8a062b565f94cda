"""Misbehaviour on demand.

In: rules as TOML. Out: what to do with an API call, at a stage of an SMTP conversation, with the queue. The API, the
relay and the queue ask `active_rules`; open this file first. `api_rule`, `relay_rule` and `queue_faults` read one
kind of table each; `misbehaving_api` applies the rules to HTTP.
"""
