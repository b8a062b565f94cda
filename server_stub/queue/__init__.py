"""The queue: its entries, the table that keeps them, and what is put into it.

entry, credential_reset ── store (schema, filter_sql, scim_filter) ── fill
"""
