"""The table of all checks, in the order of the report."""

from mail_sender.doctor.clock import clock
from mail_sender.doctor.configuration import configuration, templates, user
from mail_sender.doctor.domain.check import from_domain
from mail_sender.doctor.ehlo_name import ehlo_name
from mail_sender.doctor.examination import Table
from mail_sender.doctor.fallbacks import fallbacks
from mail_sender.doctor.finding import Topic
from mail_sender.doctor.ledger import ledger
from mail_sender.doctor.other_sender import other_sender
from mail_sender.doctor.relay import relay
from mail_sender.doctor.server import server

CHECKS: Table = {
    Topic.CONFIGURATION: (user, configuration, other_sender),
    Topic.TEMPLATES: (templates,),
    Topic.LEDGER: (ledger,),
    Topic.SERVER: (server,),
    Topic.RELAY: (relay, fallbacks),
    Topic.DOMAIN: (from_domain,),
    Topic.EHLO_NAME: (ehlo_name,),
    Topic.CLOCK: (clock,),
}
