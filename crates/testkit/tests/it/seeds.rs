//! Random operations and faults. A failure names its seed; `AMBO_SEED=17` repeats it alone.

use ambo_testkit::simulation::random::Chaos;

const ROUNDS: usize = 4;
const SEEDS_PER_TEST: u64 = 10;

async fn seeds(first: u64) {
    let all: Vec<u64> = match std::env::var("AMBO_SEED") {
        Ok(seed) => vec![seed.parse().expect("a seed is a number")],
        Err(_) => (first..first + SEEDS_PER_TEST).collect(),
    };
    for seed in all {
        let mut chaos = Chaos::new(seed).await;
        for _ in 0..ROUNDS {
            chaos.round().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_app_comes_to_rest_as_promised_in_seeds_0_to_9() {
    seeds(0).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_app_comes_to_rest_as_promised_in_seeds_10_to_19() {
    seeds(10).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_app_comes_to_rest_as_promised_in_seeds_20_to_29() {
    seeds(20).await;
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_the_app_comes_to_rest_as_promised_in_seeds_30_to_39() {
    seeds(30).await;
}
