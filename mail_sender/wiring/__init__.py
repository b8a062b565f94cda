"""From the configuration to concrete parts: the only reader of the whole `Config`.

In comes a configuration, and what reads it anew; out goes a sender at work, until it is to stop. Open `serve` first;
`once` is one run for cron.
"""
