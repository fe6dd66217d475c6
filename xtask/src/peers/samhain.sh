# Runs Samhain on one tree with settings of its own, in a mount namespace of its own: FOLDER ROOT WHAT.
set -e
cat > "$1/samhainrc" <<END
[ReadOnly]
dir=99$2
[EventSeverity]
SeverityReadOnly=crit
[Log]
MailSeverity=none
PrintSeverity=none
LogSeverity=crit
SyslogSeverity=none
ExportSeverity=none
[Misc]
Daemon=no
DigestAlgo=SHA256
SetFilecheckTime=600
SetLoopTime=600
TrustedUser=root
[EOF]
END
chmod 600 "$1/samhainrc"
mkdir -p "$1/samhain" /run/samhain
mount --bind "$1/samhainrc" /etc/samhain/samhainrc
mount --bind "$1/samhain" /var/lib/samhain
mount -t tmpfs none /var/log/samhain
exec samhain -t "$3" --foreground
