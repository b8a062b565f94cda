"""What an operator sees of a sender: status, health, metrics, a page, alerts, and what systemd is told.

In come observations of the flow (`sender.observation`), the conditions, the heartbeats and the ledger's counts; out
goes one `Status`, of which everything else is made. Nothing here changes mail, and nothing in the flow waits for it.
Open `status` first.
"""
