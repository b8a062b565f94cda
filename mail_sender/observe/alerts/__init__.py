"""Alerts: a webhook or a command is called when something stands in the way of mail, and again when it is over.

    rules     what of a status is worth an alert, each as a cause
    tally     the messages that were given up, which no status counts as new
    firing    which causes are due to be alerted, and which alerts are over
    memory, keeper
              what was alerted, kept in a file, so that a restart repeats nothing
    formats   the body for each kind of receiver (docs/alerts.md)
    webhook, command
              one delivery, with its deadline
    channel   one receiver: what it has been sent, and when it is tried again
    loop      all of it, every few seconds, beside the flow of mail

There is no queue: what a receiver should know is compared with what it was sent, again and again. What it did not
take is still due at the next turn, and what was over before it could be sent is not sent any more. So nothing grows
while a receiver is down.

Read `rules` first.
"""
