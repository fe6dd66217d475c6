# Makes keys, settings and a policy of Tripwire for one tree: FOLDER ROOT.
set -e
cd "$1"
for name in POLFILE=tw.pol DBFILE=tw.twd REPORTFILE=tw.twr SITEKEYFILE=site.key LOCALKEYFILE=local.key; do
    echo "${name%%=*}=$PWD/${name#*=}"
done > tw.txt
cat >> tw.txt <<'END'
ROOT=/usr/sbin
EDITOR=/bin/false
LATEPROMPTING=false
LOOSEDIRECTORYCHECKING=false
MAILNOVIOLATIONS=false
EMAILREPORTLEVEL=0
REPORTLEVEL=0
SYSLOGREPORTING=false
MAILMETHOD=SENDMAIL
MAILPROGRAM=/bin/false
END
echo "$2 -> +pinugtsmcS;" > tw-policy.txt
twadmin --generate-keys -S site.key -L local.key -P benchmark -Q benchmark
twadmin --create-cfgfile -c tw.cfg -S site.key -Q benchmark tw.txt
twadmin --create-polfile -c tw.cfg -S site.key -Q benchmark tw-policy.txt
