"""The relay that catches the mail.

listeners ── door ── conversation (login, tls, refusals) ── mailbox
"""
