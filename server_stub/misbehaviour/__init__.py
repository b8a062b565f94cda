"""What goes wrong on demand.

In: rules as TOML. Out: what to do with an API call, at a stage of an SMTP conversation, with the queue.
`active_rules` is asked by all of them and is the file to open first; `api_rule`, `relay_rule` and `queue_faults` read
one kind of table each; `misbehaving_api` does to HTTP what the rules want.
"""
