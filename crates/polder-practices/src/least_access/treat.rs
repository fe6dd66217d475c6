//! Proposes to take rights away.

use crate::practice::Scene;
use polder_model::facts::{Engine, Server};
use polder_model::{Change, Finding, Model, Op, Treatment, VariableId};

pub(super) fn treat(finding: &Finding, scene: &Scene<'_>, model: &Model) -> Vec<Treatment> {
    match finding.kind.as_str() {
        "least-access/open-server"
        | "least-access/well-known-login"
        | "least-access/account-without-password" => {
            let server = scene.facts.servers.rows.iter().find(|it| it.id() == finding.subject);
            server.map(|it| ask_for_secret(finding, it)).into_iter().collect()
        }
        "least-access/account-excess" => {
            super::accounts::treat(finding, scene).into_iter().collect()
        }
        "least-access/becomes-root" => vec![take_power(finding, scene)],
        "least-access/runs-as-root" => vec![own_user(finding, scene)],
        "least-access/foreign-privilege" => vec![drop_privilege(finding, model)],
        "least-access/writable-by-another" => vec![own_by_root(finding)],
        "least-access/readable-credential" => vec![hide_credential(finding)],
        "least-access/empty-password" => vec![
            Treatment::new(
                format!("lock:{}", finding.subject),
                format!("Lock the account `{}`", finding.subject),
                [0.05, 0.1, 0.3],
            )
            .run(format!("passwd --lock {}", finding.subject))
            .undo(format!("passwd --delete {}", finding.subject))
            .verify(format!("`passwd --status {}` shows L", finding.subject))
            .may_break("low", "whoever used the account needs a password or key")
            .removing(&finding.opens),
        ],
        _ => Vec::new(),
    }
}

fn ask_for_secret(finding: &Finding, server: &Server) -> Treatment {
    let file =
        |fallback: &str| server.config_files.first().cloned().unwrap_or_else(|| fallback.into());
    let title = format!("Make {} ({}) ask for a password", server.engine.title(), server.instance);
    let treatment = Treatment::new(format!("authenticate:{}", server.id()), title, [0.3, 1.0, 3.0]);
    let treatment = match server.engine {
        Engine::Postgresql => {
            let hba = server.accounts.iter().find(|it| it.method == "trust").map_or_else(|| file("pg_hba.conf"), |it| it.known_from.clone());
            let lines: Vec<String> = server.accounts.iter().filter(|it| it.method == "trust").filter_map(|it| it.line).map(|it| it.to_string()).collect();
            treatment
                .run("sudo -u postgres psql -c '\\password'   # for each account that programs use")
                .edit(hba.clone(), format!("line {}: replace `trust` by `scram-sha-256`, on the local socket by `peer`", lines.join(", ")))
                .run("sudo -u postgres psql -c 'SELECT pg_reload_conf()'")
                .undo_by(format!("put `trust` back in `{hba}` and reload"))
        }
        Engine::Mariadb => treatment
            .run("mariadb --execute \"ALTER USER root@localhost IDENTIFIED VIA unix_socket\"")
            .undo("mariadb --execute \"ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING ''\""),
        Engine::Redis => treatment
            .edit(file("/etc/redis/redis.conf"), "add `requirepass` with a long random value, and give it to the programs that use it")
            .run("systemctl restart redis-server   # or start it again the way it was started")
            .undo_by("take the line out again and restart"),
        Engine::Rabbitmq => treatment
            .run("rabbitmqctl add_user app && rabbitmqctl set_permissions app '^app-' '^app-' '^app-'   # asks for a password")
            .run("rabbitmqctl delete_user guest")
            .undo("rabbitmqctl delete_user app; rabbitmqctl add_user guest guest && rabbitmqctl set_user_tags guest administrator && rabbitmqctl set_permissions guest '.*' '.*' '.*'"),
        Engine::Nats => treatment
            .edit(file("/etc/nats-server.conf"), "add `authorization { users = [ { user: app, password: $APP_PASSWORD } ] }`; arguments on the command line do not replace it")
            .run("systemctl restart nats-server   # or start it again the way it was started")
            .undo_by("take the block out again and restart"),
        Engine::Mosquitto => treatment
            .run("mosquitto_passwd -c /etc/mosquitto/passwd app   # asks for a password")
            .edit(file("/etc/mosquitto/mosquitto.conf"), "`allow_anonymous false` and `password_file /etc/mosquitto/passwd`")
            .run("systemctl restart mosquitto   # or start it again the way it was started")
            .undo_by("put `allow_anonymous true` back and restart"),
        Engine::Memcached => treatment
            .edit(file("/etc/memcached.conf"), "replace `-l` by `-s /run/memcached/memcached.sock -a 0660`: a socket has an owner, a port has none")
            .run("systemctl restart memcached")
            .undo_by("put the old line back and restart"),
        Engine::Mongodb => treatment
            .run("mongosh admin --eval 'db.createUser({user: \"admin\", pwd: passwordPrompt(), roles: [\"root\"]})'")
            .edit(file("/etc/mongod.conf"), "security.authorization: enabled")
            .run("systemctl restart mongod")
            .undo_by("set it to disabled and restart"),
        Engine::Elasticsearch => treatment
            .edit(file("/etc/elasticsearch/elasticsearch.yml"), "xpack.security.enabled: true")
            .run("systemctl restart elasticsearch && elasticsearch-reset-password -u elastic")
            .undo_by("set it to false and restart"),
    };
    treatment
        .verify(format!("`polder look servers` shows that {} asks for a password", server.id()))
        .may_break("some", "programs that use it without a password fail until they are given one")
        .removing(&finding.opens)
}

fn take_power(finding: &Finding, scene: &Scene<'_>) -> Treatment {
    let user = &finding.subject;
    let powers: Vec<_> = scene
        .facts
        .powers
        .rows
        .iter()
        .filter(|it| it.user == *user && it.becomes == "root")
        .collect();
    let mut treatment = Treatment::new(format!("take-power:{user}"), format!("Give `{user}` only the commands it needs as root"), [0.3, 1.0, 3.0])
        .decide(format!("Which commands does `{user}` really need as root? An administrator needs all; then accept this instead"));
    for power in powers {
        treatment = match power.through.as_str() {
            "group" => {
                let group = power.detail.split(':').next().unwrap_or_default();
                treatment
                    .run(format!("gpasswd --delete {user} {group}"))
                    .undo(format!("gpasswd --add {user} {group}"))
            }
            "sudo" => treatment
                .edit(
                    power.file.clone(),
                    format!(
                        "line {}: name the commands instead of `{}`, without NOPASSWD",
                        power.line, power.detail
                    ),
                )
                .run("visudo -c")
                .undo_by(format!("put line {} of `{}` back", power.line, power.file)),
            _ => treatment
                .edit(power.file.clone(), format!("line {}: take the rule out", power.line))
                .undo_by(format!("put line {} of `{}` back", power.line, power.file)),
        };
    }
    treatment
        .verify(format!("`sudo -l -U {user}` and `id {user}` show what is left"))
        .may_break("some", "work that needs root under this account stops")
        .removing(&finding.opens)
}

fn own_user(finding: &Finding, scene: &Scene<'_>) -> Treatment {
    let name = &finding.subject;
    let unit = scene.estate.services.get(name).and_then(|it| it.unit.clone());
    let account =
        scene.facts.users.rows.iter().find(|it| {
            it.uid != 0 && (name.starts_with(&it.name) || it.name.contains(name.as_str()))
        });
    let user = account.map_or_else(
        || format!("_{}", name.split(['@', '-', '.']).next().unwrap_or(name)),
        |it| it.name.clone(),
    );
    let treatment = Treatment::new(
        format!("own-user:{name}"),
        format!("Run `{name}` as `{user}` instead of root"),
        [0.5, 1.5, 4.0],
    );
    let treatment = match account {
        Some(_) => treatment,
        None => treatment
            .run(format!("adduser --system --group --no-create-home {user}"))
            .undo(format!("deluser --system {user}")),
    };
    let treatment = treatment
        .decide(format!("Which files does `{name}` write? Give them to `{user}` with chown first"));
    let treatment = match unit {
        Some(unit) => {
            let path = format!("/etc/systemd/system/{unit}.d/10-polder-user.conf");
            treatment
                .write(path.clone(), format!("[Service]\nUser={user}\nGroup={user}\nAmbientCapabilities=CAP_NET_BIND_SERVICE\n"))
                .run(format!("systemctl daemon-reload && systemctl restart {unit}"))
                .undo(format!("rm {path} && systemctl daemon-reload && systemctl restart {unit}"))
        }
        None => treatment
            .decide(format!("Start it with `setpriv --reuid={user} --regid={user} --init-groups --no-new-privs COMMAND`; no unit of systemd starts it here"))
            .undo_by("start it the way it was started before"),
    };
    treatment
        .verify(format!("`ps -o user= -C {name}` shows `{user}`"))
        .may_break("some", "files that only root could open stay closed to it")
        .removing(&finding.opens)
}

fn drop_privilege(finding: &Finding, model: &Model) -> Treatment {
    let path = &finding.subject;
    let variable = VariableId(format!("privileged:{path}"));
    let treatment = Treatment::new(format!("drop-privilege:{path}"), format!("Take the special rights of `{path}` away"), [0.2, 0.5, 2.0])
        .decide("Where does the file come from? If nobody knows, treat it as evidence of an intrusion: copy it before you change it")
        .run(format!("stat '{path}'; sha256sum '{path}'"))
        .run(format!("chmod u-s,g-s '{path}'; setcap -r '{path}'"))
        .changing([
            // Capabilities first: a change of mode leaves them as they are, and both are shown.
            Change::DropCapabilities { path: path.clone() },
            Change::ClearMode { path: path.clone(), bits: 0o6000 },
        ])
        .undo_by("set the mode and capabilities that `stat` and `getcap` printed")
        .verify("`polder look privileged` no longer lists it")
        .may_break("some", "whatever used the right stops working");
    match model.graph.find_variable(&variable) {
        Some(_) => treatment.effect(Op::Close { variable }),
        None => treatment,
    }
}

fn own_by_root(finding: &Finding) -> Treatment {
    let path = &finding.subject;
    Treatment::new(format!("own:{path}"), format!("Let only root write `{path}`"), [0.1, 0.3, 1.0])
        .run(format!("stat --format='%U:%G %a %n' '{path}'   # note this: it is the undo"))
        .run(format!("chown root:root '{path}' && chmod go-w '{path}'"))
        .changing([
            Change::SetOwner { path: path.clone(), uid: 0, gid: 0 },
            Change::ClearMode { path: path.clone(), bits: 0o022 },
        ])
        .undo_by("chown and chmod to what `stat` printed")
        .verify("`polder look influences` no longer lists it")
        .may_break("some", "a deployment that writes there as another user stops")
        .removing(&finding.opens)
}

fn hide_credential(finding: &Finding) -> Treatment {
    let path = &finding.subject;
    Treatment::new(
        format!("hide:{path}"),
        format!("Let only its owner read `{path}`"),
        [0.1, 0.3, 1.5],
    )
    .run(format!("stat --format='%U:%G %a %n' '{path}'   # note this: it is the undo"))
    .decide("Which service reads it? Make that service's user the owner")
    .run(format!("chmod go-rwx '{path}'"))
    .changing([Change::ClearMode { path: path.clone(), bits: 0o077 }])
    .undo_by("chmod to what `stat` printed")
    .verify("`polder look credentials` shows no other reader")
    .may_break("some", "a program that read it as another user fails")
    .removing(&finding.opens)
}
