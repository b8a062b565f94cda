"""The relay that catches the mail.

listeners ── door ── reception ── conversation (login, tls, refusals) ── mailbox
"""
