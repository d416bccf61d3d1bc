//! The frame of every report.

use maud::{DOCTYPE, Markup, PreEscaped, html};

/// A whole HTML document around `body`: styles inside, a policy that forbids fetching anything, the footer with the version.
pub fn html_page(title: &str, body: &Markup) -> String {
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:";
                title { (title) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                main {
                    h1 { (title) }
                    (body)
                }
                footer {
                    strong { "Research use only." }
                    " Not for diagnosis. Written by lsr-train " (env!("CARGO_PKG_VERSION")) "."
                }
            }
        }
    };
    document.into_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fetches_nothing_and_escapes_its_title() {
        let page = html_page("a < b & c", &html! { p { "x" } });
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<h1>a &lt; b &amp; c</h1>") && page.contains("<p>x</p>"));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script") && !page.contains("url("));
        assert!(page.contains("Research use only.") && page.contains(env!("CARGO_PKG_VERSION")));
    }
}
