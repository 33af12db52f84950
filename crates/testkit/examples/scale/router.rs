//! A router: what its table weighs, and what a whole table and one change of it cost.

use std::net::SocketAddr;
use std::sync::Arc;

use ambo_model::{AppId, AppName, Hostname, InstanceId, Route, RouteTable, Target};
use ambo_router::{LogLines, Router, RouterSettings};
use ambo_testkit::simulation::scale::Size;

use crate::process::{Stopwatch, resident_mib};

/// Of ten instances, eight are routed to.
const WEB_OF_TEN: usize = 8;
/// Changes that are measured.
const CHANGES: u32 = 10;

pub(crate) fn measure(size: Size) -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let router = Router::bind(RouterSettings::default(), Arc::new(LogLines(Arc::new(drop))), None)?;
    let handle = router.handle();
    let mut table = table(&size)?;
    println!("as sent: {:.1} MB", serde_json::to_vec(&table)?.len() as f64 / 1e6);
    let before = resident_mib().0;
    let watch = Stopwatch::start();
    handle.publish(table.clone());
    println!("whole table: {:.1?}, {} MiB", watch.cpu(), resident_mib().0.saturating_sub(before));
    let watch = Stopwatch::start();
    for change in 0..CHANGES {
        table.routes[change as usize].maintenance = true;
        handle.publish(table.clone());
    }
    println!("one change: {:.1?}", watch.cpu() / CHANGES);
    println!("memory {} MiB, at most {} MiB", resident_mib().0, resident_mib().1);
    Ok(())
}

fn table(size: &Size) -> Result<RouteTable, Box<dyn std::error::Error>> {
    let each = size.instances / size.apps * WEB_OF_TEN / 10;
    let routes = (0..size.apps).map(|app| route(app, each)).collect::<Result<_, _>>()?;
    Ok(RouteTable { routes })
}

fn route(app: usize, targets: usize) -> Result<Route, Box<dyn std::error::Error>> {
    let target = |index: usize| {
        let number = u32::try_from(app * targets + index)?;
        let [_, high, middle, low] = number.to_be_bytes();
        Ok::<_, std::num::TryFromIntError>(Target {
            // As long as those of Swarm's tasks.
            instance: InstanceId::new(format!("{number:025}")),
            name: format!("web.{}", index + 1),
            endpoint: SocketAddr::from(([10, high, middle, low], 5000)),
        })
    };
    Ok(Route {
        app: AppId::new(),
        app_name: AppName::parse(&format!("app-{app}"))?,
        hosts: vec![Hostname::parse(&format!("app-{app}.apps.example.com"))?],
        targets: (0..targets).map(target).collect::<Result<_, _>>()?,
        maintenance: false,
        crashed: false,
    })
}
