"""The flow: from a message in the identity server's queue to a mail that is sent and marked as sent.

    poll -> plan -> dispatch -> attempt -> settle -> acknowledge

What comes in: a source, a ledger, a transport, the configuration. What goes out: mails through the transport, their
states in the ledger, marks at the source, log events. Open `worker` first: it makes the three loops and runs them.

    poll         loop: reads the queue on the `schedule`; `intake` admits new messages and fills the `snapshot`
    dispatch     loop: takes what is due from the ledger and starts an attempt for each mail that may go
      read_ahead   what is due, and what of it is fresh, in memory
      plan         decides which deliveries go now, or have expired (pure)
      relays       the relay and those that stand in for it; `route` says which one a mail may go by (pure)
      relay_gate   decides whether the relay gets one more mail, and learns from each verdict; it asks `own_fault`
                   (whose fault), `breaker` (closed, open, half-open), `in_flight_limit` (how many at a time), `pace`
                   (how fast one after the other), and `shared_breaker` (what other senders know of the relay)
      attempt      one mail: message -> mail -> claim -> relay -> verdict -> outcome
        settle       what a delivery becomes after a verdict or a crash (pure)
    acknowledge  loop: marks messages as sent at the identity server

    snapshot     what the last good poll saw        in_flight    mails that are being sent right now
    events       the log events of messages         test_mail    a single mail for `-t`, outside the flow

The waits between attempts, probes and marks are in `mail_sender.backoff`, the wordings of refusals in
`mail_sender/relay/known_refusals.toml`.
"""
