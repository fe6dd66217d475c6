//! tmp
fn main() {
    let host = polder_host::LiveHost::here();
    let t = std::time::Instant::now();
    let f = polder_facts::look(&host, &|_| {});
    eprintln!("{:?}", t.elapsed());
    for t in polder_facts::TABLES {
        let s = t.show(&f);
        println!("{:12} {:6} {:?} {:?}", t.name, s.rows.len(), s.coverage, s.problems.first());
        if std::env::args().nth(1).as_deref() == Some(t.name) {
            for r in s.rows {
                println!("  {}", r);
            }
        }
    }
}
