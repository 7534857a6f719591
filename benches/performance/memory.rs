//! (d) The most memory that one process with both stages holds in two runs, a full one and a light
//! one beside what the first saw, against the number of accounts.

use crate::{
    figures::Row,
    servers::{Servers, Settings},
    service::Service,
};

pub async fn measure(sizes: &[usize], repetitions: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = sizes
        .iter()
        .map(|users| Row::of("service").users(*users))
        .collect();
    for _ in 0..repetitions {
        for (row, users) in rows.iter_mut().zip(sizes) {
            let servers = Servers::start(Settings::of(*users, 0)).await;
            let (service, _) = Service::start(&servers, &[], &[]).await;
            row.add("MiB at start", service.process.peak_mib());
            service.run(&servers).await;
            row.add("MiB at most", service.process.peak_mib());
            service.run(&servers).await;
            let peak = service.process.peak_mib();
            row.add("MiB after a light run", peak);
            println!("  {users} users: {peak:.1} MiB");
        }
    }
    rows
}
