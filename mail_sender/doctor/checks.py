"""The table of all checks, in the order of the report."""

from mail_sender.doctor.domain.check import from_domain
from mail_sender.doctor.examination import Table
from mail_sender.doctor.finding import Topic

CHECKS: Table = {
    Topic.DOMAIN: (from_domain,),
}
