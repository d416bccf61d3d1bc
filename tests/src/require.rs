//! Tests that need something which is not part of the repository pass over it where it is missing, unless it is required.

use std::env;

/// Says on standard output why a test is passed over.
///
/// # Panics
/// Where `LSR_REQUIRE` (a comma list) contains `what`.
pub fn skip(what: &str, reason: &str) {
    println!("skipped: {reason}");
    let required = env::var("LSR_REQUIRE").unwrap_or_default();
    #[expect(clippy::panic, reason = "a test that was required to run must fail")]
    if contains(&required, what) {
        panic!("LSR_REQUIRE={required} asks for {what}, but {reason}");
    }
}

fn contains(list: &str, what: &str) -> bool {
    list.split(',').any(|name| name.trim() == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_of_the_list_are_required() {
        for (list, required) in [("", false), ("firmware", false), ("data", true), ("firmware, data", true), ("database", false)] {
            assert_eq!(contains(list, "data"), required, "{list}");
        }
    }
}
