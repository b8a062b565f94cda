"""The private CA of a stub and the certificates that it signs.

In: the folder DIR and the time. Out: PEM files, and TLS contexts for servers. `authority` is the CA and the file to
open first.
"""
