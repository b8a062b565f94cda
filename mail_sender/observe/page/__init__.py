"""The page for people who would rather look than type: the status, a chart of a day, and the last deliveries.

In come a `Status` and the last deliveries; out goes HTML that only reads. Open `page` first.
"""
