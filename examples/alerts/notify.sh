#!/bin/sh
# An alert of mail-sender in the system's log: a script to begin with. The alert stands in the environment, and as JSON
# on standard input (docs/alerts.md). Exit with 0 once it is delivered: anything else, and it is tried again.
set -eu
case $MAIL_SENDER_ALERT_STATUS in
    firing) priority=user.err ;;
    *) priority=user.notice ;;
esac
exec logger -p "$priority" -t mail-sender-alert -- "$MAIL_SENDER_ALERT_KEY: $MAIL_SENDER_ALERT_SUMMARY"
