"""The message queue.

In: entries, from the API, the page, the commands and the rules of misbehaviour. Out: the entries that are due or
asked for, as the JSON that goes out. `store` is the table and the file to open first; `entry` is the JSON of one.
"""
