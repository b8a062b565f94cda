"""The relay that takes mail over TLS and keeps it.

In: SMTP connections. Out: two files for each mail under DIR/mail. `conversation` answers the SMTP commands and is the
file to open first; `listener` and `connection` bring a connection to it, `mailbox` keeps the mails.
"""
