dnl Sendmail asks Waxseal for MTA-STS policies, and looks after DANE itself. For
dnl /etc/mail/sendmail.mc, in front of the MAILER lines. Needs sendmail 8.17 or later that was
dnl built with _FFR_MTA_STS, _FFR_TLS_ALTNAMES and DANE, as Debian's is: see `sendmail -d0.13'.
dnl
dnl The name of the map must stay `sts', as the feature has it: under that name Waxseal answers
dnl for MTA-STS alone.
dnl
dnl -d15: how long an answer may take; Waxseal answers within 10 seconds by default.
dnl -T<TMPF>: no answer means that the mail waits.
FEATURE(`sts', `socket -d15 -T<TMPF> inet:8642@127.0.0.1')dnl
define(`confCACERT', `/etc/ssl/certs/ca-certificates.crt')dnl
define(`confCACERT_PATH', `/etc/ssl/certs')dnl
define(`confDANE', `true')dnl
