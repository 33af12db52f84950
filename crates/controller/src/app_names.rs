//! Names for apps whose creators gave none.

use ambo_model::AppName;
use rand::Rng;

const ADJECTIVES: [&str; 24] = [
    "amber", "bold", "brisk", "calm", "clear", "cosy", "crisp", "deft", "eager", "fair", "fleet", "gentle", "keen",
    "lucid", "mellow", "noble", "plain", "quiet", "rapid", "sunny", "tidy", "vivid", "warm", "witty",
];
const NOUNS: [&str; 24] = [
    "acorn", "anchor", "beacon", "birch", "brook", "cedar", "cliff", "comet", "delta", "ember", "fjord", "grove",
    "harbor", "island", "lantern", "meadow", "orchard", "pebble", "prairie", "reef", "river", "stage", "summit",
    "willow",
];

/// A name such as `quiet-harbor-4821`. May be taken.
pub(crate) fn generate() -> AppName {
    let mut random = rand::rng();
    loop {
        let adjective = ADJECTIVES[random.random_range(0..ADJECTIVES.len())];
        let noun = NOUNS[random.random_range(0..NOUNS.len())];
        let number = random.random_range(1000..10_000);
        if let Ok(name) = AppName::parse(&format!("{adjective}-{noun}-{number}")) {
            return name;
        }
    }
}
