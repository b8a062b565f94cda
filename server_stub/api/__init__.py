"""Kanidm's HTTP API: what is asked, by whom, and what is answered.

application (parameters, entry_change, limits, listing_faults, answers, headers) ── access (destroyed)
login (login_steps, login_attempts): the way to a token of one's own
"""
