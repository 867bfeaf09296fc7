//! `portolan status`.

use portolan::cli::Exit;
use serde_json::{Value, json};

use crate::desk::{Desk, settled};
use crate::shop::Shop;
use crate::status::{items, troubled};
use crate::world::World;

#[tokio::test]
async fn the_command_says_whether_everything_is_well() {
    let world = World::new().await;
    let desk = Desk::open(&world).await;
    let none = desk.say("status").await;
    let shop = Shop::open(&world).await;
    let well = desk.say("status").await;
    world.event(shop.registry).await;
    let advice = desk.say("status").await;
    assert_eq!(
        [none.exit, well.exit, advice.exit],
        [Exit::Done; 3],
        "{}",
        advice.out
    );
    insta::assert_snapshot!(format!("{}\n---\n{}\n---\n{}", none.out, well.out, advice.out));
    let json = desk.say("status -o json").await;
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).unwrap(),
        world.status().await
    );
    let refused = desk.say("status --watch -o yaml").await;
    assert_eq!(refused.exit, Exit::Usage);
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn the_command_says_what_to_do_first() {
    let world = World::new().await;
    troubled(&world).await;
    let desk = Desk::open(&world).await;
    let said = desk.say("status").await;
    assert_eq!((said.exit, said.err.as_str()), (Exit::Attention, ""));
    insta::assert_snapshot!(settled(&said.out));
    let sensors = desk.say("sensor list").await.out;
    let stuck = sensors
        .lines()
        .filter(|line| line.contains("online, not progressing"));
    assert!(
        stuck.eq(sensors.lines().filter(|line| line.starts_with("berlin-1"))),
        "{sensors}"
    );
    let json = desk.say("status -o json").await;
    assert_eq!(json.exit, Exit::Attention);
    desk.shutdown.start_drain();
}

#[tokio::test]
async fn of_many_things_the_first_are_told_and_the_rest_is_counted() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    for number in 0..60 {
        world
            .registry(&format!("r{number:02}"), "https://h", "berlin-1")
            .await;
    }
    let status = world.status().await;
    assert_eq!((items(&status).len(), &status["more"]), (50, &json!(10)));
    assert_eq!(
        status["registries"],
        json!({"total": 60, "well": 0, "attention": 60})
    );
    let desk = Desk::open(&world).await;
    let said = desk.say("status").await;
    assert_eq!(said.exit, Exit::Attention);
    assert!(
        said.out
            .starts_with("60 registries need attention: begin at the top\n"),
        "{}",
        said.out
    );
    assert!(
        said.out.ends_with("\nand 10 more, of no greater importance\n"),
        "{}",
        said.out
    );
    desk.shutdown.start_drain();
}
