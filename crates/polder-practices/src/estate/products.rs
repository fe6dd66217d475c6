//! How often a product's flaws are used in the wild: what is not known today.

use polder_model::{Estimate, Range};

/// Entries in CISA KEV added within five years before 2025-08-25, by the name of the program.
///
/// Counted in the catalogue 2025.08.25 (1,404 entries). Products not listed have none.
const KEV_FIVE_YEARS: [(&str, &str, u32); 17] = [
    ("apache2", "Apache HTTP Server", 4),
    ("php-fpm", "PHP", 3),
    ("exim4", "Exim", 5),
    ("redis-server", "Redis", 1),
    ("smbd", "Samba", 1),
    ("beam.smp", "Erlang/OTP", 1),
    ("java", "Apache Tomcat and Java servers", 5),
    ("elasticsearch", "Elasticsearch", 2),
    ("mongod", "MongoDB", 1),
    ("node", "Node.js", 2),
    ("grafana", "Grafana", 1),
    ("jenkins", "Jenkins", 5),
    ("gitlab", "GitLab", 2),
    ("zabbix_server", "Zabbix", 2),
    ("webmin", "Webmin", 1),
    ("miniserv.pl", "Webmin", 1),
    ("dockerd", "Docker", 1),
];

/// Probability that a flaw not known today in `product` is used against this host within a year.
///
/// The yearly rate of exploited flaws is Gamma(entries + 0.5, 5 years); that an exploited flaw is
/// used against one given host before it is patched lies between 0.2 % and 10 % [judgement].
pub fn future_flaw(product: &str, is_packaged: bool) -> (String, Estimate) {
    let stem = product.trim_end_matches(|it: char| it.is_ascii_digit() || it == '.');
    let known = KEV_FIVE_YEARS.iter().find(|(name, ..)| {
        *name == product || stem == *name || product.starts_with(&format!("{name}-"))
    });
    let title = format!("a flaw in `{product}` that nobody knows today is used against this host");
    if !is_packaged && known.is_none() {
        let source = "a program of no package: nobody publishes or patches its flaws";
        return (title, Estimate::judgement(0.003, 0.02, 0.12, source));
    }
    let entries = known.map_or(0, |(_, _, count)| *count);
    let rate = (f64::from(entries) + 0.5) / 5.0;
    let wild = 1.0 - (-rate).exp();
    let range = Range::new(wild * 0.002, wild * 0.012, wild * 0.10);
    let says = match known {
        Some((_, name, count)) => format!("CISA KEV 2025-08-25: {count} entries for {name} in five years; share that hits one host is judgement"),
        None => "CISA KEV 2025-08-25: no entry in five years, counted as half a one; share that hits one host is judgement".into(),
    };
    (title, Estimate::published(range, says, "2025-08-25"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_with_a_record_is_more_likely_to_be_hit() {
        let of = |name: &str| future_flaw(name, true).1.range.likely;
        assert!(of("exim4") > of("redis-server"));
        assert!(of("redis-server") > of("nginx"));
        assert_eq!(of("php-fpm8.2"), of("php-fpm"));
    }
}
