"""How mail leaves: one mail is handed to the relay over TLS, and comes back as a verdict.

In: a `Mail`, and what is to be awaited before its final dot. Out: a verdict (`mail_sender.verdict`); the faults of
the relay and the network are verdicts, too.

Open `transport` first: it says what a transport promises. `pool` does it by SMTP, from the outside to the inside:
`connection` (kept for the next mail), `conversation` (TLS, login, mails), `transaction` (the commands of one mail),
`channel` (replies and deadlines), `opening` (from the name to the greeting), `protocol` (octets). `addresses`,
`ehlo`, `login`, `pipelining` and `session_limit` each know one thing; `known` is what was found out about the
relay, `seen` are the mails that it may quote. `replies` makes verdicts, `redaction` keeps secrets out of them.
`refusals` says whose fault a refusal is, by the table `known_refusals.toml`. `relay_url` reads `mail_relay`,
`resolver` looks names up. `presets` knows providers, by the table `presets.toml`; `login_advice` knows what to do
about their refusals of a login. `oauth/` gets tokens for it. `folder` takes the relay's place in a dry run; `program`
starts programs of the operator's.
"""
