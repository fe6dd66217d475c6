#!/usr/bin/env bash
# Makes the recorded servers of this folder from distribution packages, in namespaces of their own.
#
# usage: build.sh POLDER WORK NAME...     (as root; `cargo xtask record-hosts` calls it)
#
# Every name, address, account and password in them is invented. Passwords are drawn anew each
# time and never leave the work folder: the door replaces them before anything is written.
set -euo pipefail

polder=$(readlink -f "$1"); work=$2; shift 2
here=$(cd "$(dirname "$0")" && pwd)
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
security=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm-security' | head -n 1)
mkdir -p "$work"

# A root file system with these packages, and a policy that keeps them from starting.
root() {
  local name=$1 packages=$2 dir="$work/$1"
  [ -e "$dir/.made" ] && return
  rm -rf "$dir"
  debootstrap --variant=minbase --include="$packages" bookworm "$dir" "$mirror" >"$work/$name.log" 2>&1
  printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
  chmod 755 "$dir/usr/sbin/policy-rc.d"
  touch "$dir/.made"
}

# Runs a script of shell inside the root: chroot, for changes.
inside() { chroot "$work/$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -eu; }

# The real indices under an invented address, so that no mirror is named.
sources() {
  local dir="$work/$1" uri invented
  printf 'deb %s bookworm main\ndeb %s bookworm-security main\n' "$mirror" "$security" >"$dir/etc/apt/sources.list"
  chroot "$dir" apt-get -q update >>"$work/$1.log" 2>&1
}
invented_sources() {
  local dir="$work/$1" file
  printf 'deb http://archive.example/debian bookworm main\ndeb http://archive.example/debian-security bookworm-security main\n' >"$dir/etc/apt/sources.list"
  for file in "$dir"/var/lib/apt/lists/*_dists_bookworm_*; do
    [ -e "$file" ] && mv "$file" "$dir/var/lib/apt/lists/archive.example_debian_dists_${file##*_dists_}"
  done
  for file in "$dir"/var/lib/apt/lists/*_dists_bookworm-security_*; do
    [ -e "$file" ] && mv "$file" "$dir/var/lib/apt/lists/archive.example_debian-security_dists_${file##*_dists_}"
  done
}

secret() { head -c 18 /dev/urandom | base64 | tr -d '/+='; }

# Starts services and records, in fresh mount, process, network, host name and IPC namespaces.
record() {
  local name=$1 host=$2 address=$3 start=$4 dir="$work/$1"
  cp "$polder" "$dir/polder"
  # What apt itself says of the same indices; a test compares.
  chroot "$dir" apt list --upgradable 2>/dev/null | grep / >"$here/$name.apt" || true
  printf '%s\n' "$host" >"$dir/etc/hostname"
  cat >"$dir/start" <<START
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
mount -t proc proc /proc
umount -l /.old && rmdir /.old || exit 1
mount -t tmpfs tmpfs /run; mkdir -p /run/lock /run/php /run/sshd /run/postgresql; chown postgres:postgres /run/postgresql 2>/dev/null || true
hostname $host
ip link set lo up
ip link add eth0 type dummy && ip addr add $address/24 dev eth0 && ip link set eth0 up
$start
rm -f /start
/polder record /recording --force --quiet
kill -TERM -1 2>/dev/null
sleep 0.5
START
  chmod 755 "$dir/start"
  rm -f "$dir/recording"
  unshare --mount --pid --net --uts --ipc --fork --kill-child sh -c "
    mount --make-rprivate /; mount --bind '$dir' '$dir'; cd '$dir'; mkdir -p dev
    mount -t tmpfs -o mode=755 tmpfs dev; for d in null zero random urandom tty; do touch dev/\$d; mount --bind /dev/\$d dev/\$d; done
    mkdir -p dev/shm dev/pts; mount -t tmpfs -o mode=1777 tmpfs dev/shm; ln -s /proc/self/fd dev/fd
    mkdir -p .old; pivot_root . .old; cd /; exec /start" >>"$work/$name.log" 2>&1
  rm -f "$dir/polder" "$dir/start"
  install -m 644 "$dir/recording" "$here/$name.polder"
  ls -l "$here/$name.polder"
}

web_packages=nginx-light,php-fpm,php-pgsql,postgresql,openssh-server,sudo,cron,iproute2,procps,nftables,logrotate,rsyslog,ca-certificates,util-linux

shop_files() {
  local name=$1 mode=$2 dir="$work/$1"
  mkdir -p "$dir/srv/shop/public"
  cat >"$dir/srv/shop/.env" <<ENV
APP_NAME=Tulip Shop
APP_KEY=$(secret)
DB_CONNECTION=pgsql
DB_HOST=127.0.0.1
DB_DATABASE=shop
DB_USERNAME=shop
DB_PASSWORD=$(secret)
MAIL_URL=smtp://shop:$(secret)@mail.example:587
ENV
  echo '<?php echo "tulips";' >"$dir/srv/shop/public/index.php"
  chmod "$mode" "$dir/srv/shop/.env"
  cat >"$dir/etc/nginx/sites-available/default" <<'SITE'
server {
  listen 80 default_server;
  root /srv/shop/public;
  index index.php;
  location ~ \.php$ { include snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/php8.2-fpm.sock; }
}
SITE
}

shop_neglected() {
  local name=shop-neglected dir="$work/shop-neglected"
  root "$name" "$web_packages"
  sources "$name"; invented_sources "$name"
  shop_files "$name" 644
  inside "$name" <<'IN'
useradd -m -s /bin/bash ada || true
useradd -m -s /bin/bash deploy || true
echo 'ada:spring' | chpasswd
echo 'deploy ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy; chmod 440 /etc/sudoers.d/deploy
cp /bin/dash /usr/local/bin/rescue; chmod 4755 /usr/local/bin/rescue
mkdir -p /opt/scripts; printf '#!/bin/sh\npg_dump shop > /var/backups/shop.sql\n' >/opt/scripts/backup.sh
chown -R deploy /opt/scripts; chmod 755 /opt/scripts/backup.sh
echo '15 3 * * * root /opt/scripts/backup.sh' >/etc/cron.d/backup
printf 'PermitRootLogin yes\nPasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/old.conf
sed -i 's/^port = .*/port = 5432/' /etc/postgresql/15/main/postgresql.conf
sed -i "s/^#listen_addresses.*/listen_addresses = '*'/" /etc/postgresql/15/main/postgresql.conf
echo 'host all all 0.0.0.0/0 trust' >>/etc/postgresql/15/main/pg_hba.conf
sed -i 's/scram-sha-256$/trust/' /etc/postgresql/15/main/pg_hba.conf
touch -d '40 days ago' /var/backups/shop.sql
IN
  record "$name" tulip 203.0.113.10 '
nginx; php-fpm8.2 --daemonize; /usr/sbin/sshd; cron; pg_ctlcluster --skip-systemctl-redirect 15 main start
sleep 2
# An upgrade that nobody followed by a restart: the library is another file now.
lib=$(readlink -f /usr/lib/x86_64-linux-gnu/libpcre2-8.so.0); cp -a $lib $lib.new; mv $lib.new $lib'
}

shop_kept() {
  local name=shop-kept dir="$work/shop-kept"
  root "$name" "$web_packages,chrony,aide,unattended-upgrades"
  sources "$name"
  chroot "$dir" apt-get -qy -o Dpkg::Options::=--force-confold upgrade >>"$work/$name.log" 2>&1
  invented_sources "$name"
  shop_files "$name" 640
  inside "$name" <<'IN'
chgrp www-data /srv/shop/.env
useradd -m -s /bin/bash ada || true
mkdir -p -m 700 /home/ada/.ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIInventedInventedInventedInventedInventedInv ada@tulip' >/home/ada/.ssh/authorized_keys
chown -R ada:ada /home/ada/.ssh; chmod 600 /home/ada/.ssh/authorized_keys
gpasswd -a ada sudo
sed -i 's/^port = .*/port = 5432/' /etc/postgresql/15/main/postgresql.conf
printf 'PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n' >/etc/ssh/sshd_config.d/10-keys.conf
printf 'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n' >/etc/apt/apt.conf.d/20auto-upgrades
echo '*.* action(type="omfwd" target="192.0.2.99" port="6514" protocol="tcp")' >/etc/rsyslog.d/60-remote.conf
printf '#!/bin/sh\nexec aide --check --config /etc/aide/aide.conf\n' >/etc/cron.daily/aide-check; chmod 755 /etc/cron.daily/aide-check
mkdir -p /etc/borgmatic; printf 'repositories:\n    - path: ssh://tulip@vault.example/./tulip\n' >/etc/borgmatic/config.yaml
cat >/etc/nftables.conf <<'NFT'
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname "lo" accept
    tcp dport { 22, 80, 443 } accept
  }
}
NFT
IN
  record "$name" tulip 203.0.113.10 '
nft -f /etc/nftables.conf
nginx
unshare --mount setpriv --no-new-privs --bounding-set -sys_admin,-sys_module,-sys_ptrace php-fpm8.2 --daemonize
/usr/sbin/sshd; cron; chronyd -x; pg_ctlcluster --skip-systemctl-redirect 15 main start
sleep 2'
}

database() {
  local name=database
  root "$name" mariadb-server,redis-server,openssh-server,sudo,cron,iproute2,procps,iptables,logrotate
  sources "$name"; invented_sources "$name"
  inside "$name" <<'IN'
useradd -m -s /bin/bash grace || true
gpasswd -a grace disk
mkdir -p -m 700 /home/grace/.ssh
echo 'from="192.0.2.0/24" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIInventedInventedInventedInventedInventedInv grace@desk' >/home/grace/.ssh/authorized_keys
chown -R grace:grace /home/grace/.ssh
printf 'PasswordAuthentication no\nKbdInteractiveAuthentication no\n' >/etc/ssh/sshd_config.d/10-keys.conf
sed -i 's/^bind-address.*/bind-address = 0.0.0.0/' /etc/mysql/mariadb.conf.d/50-server.cnf
sed -i 's/^bind .*/bind 0.0.0.0/; s/^protected-mode.*/protected-mode no/' /etc/redis/redis.conf
echo '0 2 * * * root mysqldump --all-databases > /var/backups/all.sql' >/etc/cron.d/dump
IN
  record "$name" orchid 203.0.113.20 '
iptables -P INPUT DROP; iptables -A INPUT -i lo -j ACCEPT
iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A INPUT -p tcp --dport 22 -j ACCEPT
iptables -A INPUT -s 203.0.113.10/32 -p tcp --dport 3306 -j ACCEPT
iptables -A INPUT -p tcp --dport 6379 -j ACCEPT
/usr/sbin/sshd; cron
mkdir -p /run/mysqld /run/redis; chown mysql:mysql /run/mysqld; chown redis:redis /run/redis
setpriv --reuid=redis --regid=redis --init-groups redis-server /etc/redis/redis.conf --daemonize yes
start-stop-daemon --start --background --exec /usr/sbin/mariadbd -- --user=mysql
for i in $(seq 40); do [ -S /run/mysqld/mysqld.sock ] && break; sleep 0.25; done
sleep 1
mariadb --execute "CREATE USER report@\"%\" IDENTIFIED VIA mysql_native_password USING \"\"" || true'
}

# A root with a database of RPM, as a mere folder, whose repository was never fetched: what waits
# there must stay unknown.
rpm_root() {
  local name=rpm-root dir="$work/rpm-root"
  rm -rf "$dir"; mkdir -p "$dir/etc/ssh" "$dir/usr/lib/sysimage/rpm" "$dir/root" "$dir/usr/bin"
  printf 'ID=invented\nPRETTY_NAME="Invented Linux 9"\nVERSION_ID=9\n' >"$dir/etc/os-release"
  printf 'lily\n' >"$dir/etc/hostname"
  printf 'root:x:0:0:root:/root:/bin/bash\nnginx:x:998:998::/var/lib/nginx:/sbin/nologin\neve:x:1000:1000::/home/eve:/bin/bash\n' >"$dir/etc/passwd"
  printf 'root:!:19000:0:99999:7:::\nnginx:!:19000::::::\neve::19000:0:99999:7:::\n' >"$dir/etc/shadow"; chmod 600 "$dir/etc/shadow"
  printf 'root:x:0:\nwheel:x:10:eve\nnginx:x:998:\neve:x:1000:\n' >"$dir/etc/group"
  printf 'root ALL=(ALL) ALL\n%%wheel ALL=(ALL) NOPASSWD: /usr/bin/dnf\n' >"$dir/etc/sudoers"
  printf 'PermitRootLogin yes\nPasswordAuthentication yes\n' >"$dir/etc/ssh/sshd_config"
  mkdir -p "$dir/etc/yum.repos.d" "$work/rpm"
  printf '[invented]\nname=Invented\nbaseurl=https://packages.example/9\nenabled=1\n' >"$dir/etc/yum.repos.d/invented.repo"
  printf 'Name: all\nVersion: 1\nRelease: 1\nSummary: t\nLicense: MIT\nBuildArch: noarch\n%%description\nt\n' >"$work/rpm/all.spec"
  for it in openssl-libs:1:3.0.7 bash:0:5.1.8 sudo:0:1.9.5p2; do
    IFS=: read -r package epoch version <<<"$it"
    printf '%%package -n %s\nSummary: t\nEpoch: %s\nVersion: %s\nRelease: 6.inv9\n%%description -n %s\nt\n%%files -n %s\n' \
      "$package" "$epoch" "$version" "$package" "$package" >>"$work/rpm/all.spec"
  done
  rpmbuild --quiet -bb --define "_topdir $work/rpm" "$work/rpm/all.spec"
  rpm --root "$dir" --dbpath /usr/lib/sysimage/rpm --install --nodeps --force-debian "$work"/rpm/RPMS/noarch/*.rpm
  "$polder" record "$dir.polder" --root "$dir" --force --quiet
  install -m 644 "$dir.polder" "$here/$name.polder"
  ls -l "$here/$name.polder"
}

for name in "$@"; do
  case $name in
    shop-neglected) shop_neglected ;;
    shop-kept) shop_kept ;;
    database) database ;;
    rpm-root) rpm_root ;;
    *) echo "build.sh: there is no host called $name" >&2; exit 2 ;;
  esac
done
