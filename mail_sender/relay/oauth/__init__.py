"""Logging in at the relay with an OAuth token in place of a password (RFC 6749, RFC 7628).

In: `OAuthConfig`. Out: an access token for each login, or `NoToken`, which says what is wrong and what to do.

Open `tokens` first: it keeps the token, and renews it in time. A token comes from a token endpoint (`endpoint` asks,
`grant` reads the answer, `refusals` knows what providers refuse, and why) or from a program (`printed_token`).
`refresh_token` keeps the newest refresh token, `assertion` signs for a service account, `bearer` is what is said to
the relay.
"""
