//! What people type to work with the package manager of a host.

use crate::facts::Facts;

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageManager {
    /// dpkg and apt: Debian and what is made from it.
    Apt,
    /// RPM and dnf: Fedora, Red Hat and what is made from them.
    Dnf,
    /// Alpine's.
    Apk,
}

impl PackageManager {
    /// The one that knows the packages of a host; where none could be read, the one of the
    /// distribution.
    pub fn of(facts: &Facts) -> Self {
        match facts.packages.rows.first().map(|it| it.manager.as_str()) {
            Some("rpm") => Self::Dnf,
            Some("apk") => Self::Apk,
            Some(_) => Self::Apt,
            None => match facts.system_row().map_or("", |it| it.os_id.as_str()) {
                "rhel" | "centos" | "almalinux" | "rocky" | "ol" | "fedora" | "amzn" => Self::Dnf,
                "alpine" => Self::Apk,
                _ => Self::Apt,
            },
        }
    }

    /// Whether Polder can install and upgrade with it, and go back.
    pub fn is_driven(self) -> bool {
        self == Self::Apt
    }

    fn pick<T>(self, apt: T, dnf: T, apk: T) -> T {
        match self {
            Self::Apt => apt,
            Self::Dnf => dnf,
            Self::Apk => apk,
        }
    }

    /// Installs packages.
    pub fn install(self, names: &str) -> String {
        format!("{} {names}", self.pick("apt-get install", "dnf install", "apk add"))
    }

    /// Takes packages away with their configuration.
    pub fn remove(self, names: &str) -> String {
        format!("{} {names}", self.pick("apt-get purge", "dnf remove", "apk del --purge"))
    }

    /// Fetches the indices.
    pub fn refresh(self) -> &'static str {
        self.pick("apt-get update", "dnf makecache --refresh", "apk update")
    }

    /// Upgrades some packages.
    pub fn upgrade(self, names: &[&str]) -> String {
        let verb = self.pick("apt-get install --only-upgrade", "dnf upgrade", "apk add --upgrade");
        format!("{verb} {}", names.join(" "))
    }

    /// Upgrades everything.
    pub fn upgrade_all(self) -> &'static str {
        self.pick("apt-get upgrade --with-new-pkgs", "dnf upgrade", "apk upgrade")
    }

    /// Goes back to older versions, names with versions.
    pub fn go_back(self, packages: &[(&str, &str)]) -> String {
        let verb = self.pick("apt-get install --allow-downgrades", "dnf downgrade", "apk add");
        let between = self.pick('=', '-', '=');
        let packages: Vec<String> =
            packages.iter().map(|(name, version)| format!("{name}{between}{version}")).collect();
        format!("{verb} {}", packages.join(" "))
    }

    /// Goes back after everything was upgraded.
    pub fn go_back_all(self) -> &'static str {
        self.pick(
            "grep ' upgrade ' /var/log/dpkg.log   # then: apt-get install --allow-downgrades PACKAGE=OLD_VERSION",
            "dnf history undo last",
            "apk add PACKAGE=OLD_VERSION   # while the repository still has it",
        )
    }

    /// Lists what waits for an upgrade.
    pub fn list_waiting(self) -> &'static str {
        self.pick("apt list --upgradable", "dnf check-update", "apk list --upgradable")
    }

    /// Shows which versions of a package there are.
    pub fn show(self, name: &str) -> String {
        let verb = self.pick("apt-cache policy", "dnf list --showduplicates", "apk policy");
        format!("{verb} {name}")
    }

    /// Lets packages move again.
    pub fn unhold(self, names: &[&str]) -> String {
        let names = names.join(" ");
        self.pick(
            format!("apt-mark unhold {names}"),
            format!("dnf versionlock delete {names}   # or take them out of `excludepkgs`"),
            format!("apk add {names}   # without a version, so that it may move again"),
        )
    }

    /// Names the package a file belongs to.
    pub fn owner(self, path: &str) -> String {
        format!("{} {path}", self.pick("dpkg -S", "rpm -qf", "apk info --who-owns"))
    }

    /// Installs a package again as it is, so that its files are put back.
    pub fn reinstall(self, name: &str) -> String {
        let verb = self.pick("apt-get install --reinstall", "dnf reinstall", "apk fix --reinstall");
        format!("{verb} {name}")
    }

    /// Looks for damage in the database.
    pub fn repair(self) -> &'static str {
        self.pick("dpkg --audit", "rpm --verifydb", "apk audit")
    }
}
