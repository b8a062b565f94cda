#!/bin/sh
# An alert of mail-sender as a mail: sendmail.sh RECIPIENT. The alert stands in the environment (docs/alerts.md).
# It asks the program that $SENDMAIL names, or else /usr/sbin/sendmail.
set -eu
"${SENDMAIL:-/usr/sbin/sendmail}" -i -- "$1" <<MAIL
To: $1
Subject: [$MAIL_SENDER_ALERT_STATUS] mail-sender on $MAIL_SENDER_ALERT_HOST: $MAIL_SENDER_ALERT_KEY
Auto-Submitted: auto-generated
Content-Type: text/plain; charset=utf-8

$MAIL_SENDER_ALERT_SUMMARY

What to do: $MAIL_SENDER_ALERT_ADVICE
Since: $MAIL_SENDER_ALERT_SINCE
Instance: $MAIL_SENDER_ALERT_INSTANCE
MAIL
