//! Accounts that are made for a while, and removed again: they come from where we come from, nobody knows their password, and
//! no replica hears of them.
//!
//! Whatever makes the server open a table may make it open a view that somebody put in its place, and then it runs functions
//! whose value it takes for constant, as whoever asked. So no administrator asks such things: [`Hand`] does, who may read
//! and give rights on everything, and may call nothing.

use super::right::{Grantee, Right, by_place, string};
use super::session::{Session, text_of};
use crate::AccessError;
use mysql::Error;

/// Beginning of their names.
pub(super) const NAME: &str = "polder_probe_";
pub(super) const DOING: &str = "an account for looking";

/// An account, and a connection of it.
pub(super) struct Made {
    pub(super) account: Grantee,
    pub(super) conn: Session,
    is_there: bool,
}

impl Made {
    /// Makes one, with what it is to have everywhere.
    pub(super) fn make(admin: &mut Session, rights: Option<&str>) -> Result<Self, AccessError> {
        // It comes from where we come from, as the server sees it.
        let own = admin.text("SELECT USER()", DOING)?.unwrap_or_default();
        let host = own.rsplit_once('@').map_or("localhost", |it| it.1).to_string();
        let user = format!("{NAME}{:012x}", random()? & 0xffff_ffff_ffff);
        // Long, and of all kinds of signs, since servers may ask for that.
        let password = format!("P0lder-{:032x}", random()?);
        let account = Grantee::Account { user: user.clone(), host };
        let mut sql =
            vec![format!("CREATE USER {} IDENTIFIED BY {}", account.sql(), string(&password))];
        if let Some(rights) = rights {
            sql.push(format!("GRANT {rights} ON *.* TO {} WITH GRANT OPTION", account.sql()));
        }
        outside_log(admin, |admin| sql.iter().try_for_each(|it| admin.batch(it, DOING)))?;
        match Session::open(&admin.target().account(&user, &password)) {
            Ok(conn) => Ok(Self { account, conn, is_there: true }),
            Err(error) => {
                let drop = format!("DROP USER {}", account.sql());
                outside_log(admin, |admin| admin.batch(&drop, DOING))?;
                Err(error)
            }
        }
    }

    /// Removes it.
    pub(super) fn remove(&mut self, admin: &mut Session) -> Result<(), AccessError> {
        if !std::mem::take(&mut self.is_there) {
            return Ok(());
        }
        let sql = format!("DROP USER {}", self.account.sql());
        outside_log(admin, |admin| admin.batch(&sql, DOING))
    }
}

/// Keeps what is done out of the binary log, where there is one.
pub(super) fn outside_log<T>(
    admin: &mut Session,
    work: impl FnOnce(&mut Session) -> Result<T, AccessError>,
) -> Result<T, AccessError> {
    let log = admin.text("SELECT @@GLOBAL.log_bin AND @@SESSION.sql_log_bin", "settings")?;
    if log.as_deref() != Some("1") {
        return work(admin);
    }
    admin.batch("SET SESSION sql_log_bin = 0", "an account for looking that no replica sees")?;
    let done = work(admin);
    let again = admin.batch("SET SESSION sql_log_bin = 1", "the binary log");
    let done = done?;
    again.map(|()| done)
}

/// Removes accounts that processes left behind that were killed: nobody is connected as they.
pub(super) fn tidy(admin: &mut Session) -> Result<(), AccessError> {
    let sql = r"SELECT u.User, u.Host FROM mysql.user u WHERE u.User LIKE 'polder\_probe\_%'
        AND NOT EXISTS (SELECT 1 FROM information_schema.processlist p WHERE p.USER = u.User)";
    for row in admin.rows(sql, &[], DOING)? {
        let (Some(user), Some(host)) = (text_of(&row, 0), text_of(&row, 1)) else { continue };
        let left = Grantee::Account { user, host };
        let sql = format!("DROP USER IF EXISTS {}", left.sql());
        outside_log(admin, |admin| admin.batch(&sql, DOING))?;
    }
    Ok(())
}

/// A number that nobody can guess.
fn random() -> Result<u128, AccessError> {
    let mut bytes = [0u8; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| AccessError::Target { what: format!("no random numbers: {error}") })?;
    Ok(u128::from_le_bytes(bytes))
}

/// Whoever gives and takes rights on columns, and looks at tables, for an administrator: it may call nothing.
pub(super) struct Hand(Made);

impl Hand {
    /// Makes one.
    pub(super) fn make(admin: &mut Session) -> Result<Self, AccessError> {
        Made::make(admin, Some("SELECT, INSERT, UPDATE, REFERENCES")).map(Self)
    }

    /// Removes it.
    pub(super) fn remove(&mut self, admin: &mut Session) -> Result<(), AccessError> {
        self.0.remove(admin)
    }

    /// A connection that may look at tables.
    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.0.conn
    }

    /// Gives or takes rights; those on columns itself.
    pub(super) fn move_rights(
        &mut self,
        admin: &mut Session,
        rights: &[Right],
        whose: &Grantee,
        gives: bool,
    ) -> Result<(), Error> {
        let (columns, whole): (Vec<&Right>, Vec<&Right>) =
            rights.iter().partition(|it| it.column.is_some());
        for (list, is_own) in [(whole, false), (columns, true)] {
            for (place, list) in by_place(list) {
                let whom = whose.sql();
                let sql = match gives {
                    true => format!("GRANT {list} ON {} TO {whom}", place.sql()),
                    false => format!("REVOKE {list} ON {} FROM {whom}", place.sql()),
                };
                match is_own {
                    true => self.0.conn.try_one(&sql)?,
                    false => admin.try_one(&sql)?,
                }
            }
        }
        Ok(())
    }
}
