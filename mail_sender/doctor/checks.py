"""The table of all checks, in the order of the report."""

from mail_sender.doctor.examination import Table

CHECKS: Table = {}
