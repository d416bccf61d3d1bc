//! What pages are put together from: tables, figures, warnings.

use crate::statistics::Table;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

/// A table of results.
pub fn table_html(table: &Table) -> Markup {
    html! {
        @if !table.caption.is_empty() { p.caption { (table.caption) } }
        div.scroll {
            table.figures aria-label=(table.caption) {
                thead { tr { @for title in &table.columns { th scope="col" { (title) } } } }
                tbody { @for row in &table.rows { tr { @for cell in row { td { (cell) } } } } }
            }
        }
    }
}

/// Names and values, such as settings.
pub fn pairs_html(pairs: &[(String, String)]) -> Markup {
    html! { table.pairs { tbody { @for (name, value) in pairs { tr { td { (name) } td { (value) } } } } } }
}

/// Warnings, where there are any.
pub fn warnings_html(warnings: &[String]) -> Markup {
    html! {
        @if !warnings.is_empty() {
            div.warnings role="note" {
                strong { @if warnings.len() == 1 { "Warning" } @else { "Warnings" } }
                ul { @for warning in warnings { li { (warning) } } }
            }
        }
    }
}

/// A figure made by this crate as SVG, put in as it is: never pass SVG of another origin.
pub fn svg_figure(svg: &str, description: &str, caption: &str) -> Markup {
    html! {
        figure {
            div role="img" aria-label=(description) { (PreEscaped(svg)) }
            @if !caption.is_empty() { figcaption { (caption) } }
        }
    }
}

/// A PNG file as a figure.
pub fn png_figure(png: &[u8], description: &str, caption: &str) -> Markup {
    html! {
        figure {
            img alt=(description) src={ "data:image/png;base64," (STANDARD.encode(png)) };
            @if !caption.is_empty() { figcaption { (caption) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_files_is_escaped() {
        let table = Table { caption: "<c>".into(), columns: vec!["a&b".into()], rows: vec![vec!["<script>".into()]] };
        let text = table_html(&table).into_string();
        assert!(
            text.contains("<p class=\"caption\">&lt;c&gt;</p>")
                && text.contains(">a&amp;b</th>")
                && text.contains("<td>&lt;script&gt;</td>"),
            "{text}"
        );
        assert!(pairs_html(&[("k".into(), "<v>".into())]).into_string().contains("<td>k</td><td>&lt;v&gt;</td>"));
        assert!(png_figure(&[1, 2, 3], "\"x\"", "").into_string().contains("alt=\"&quot;x&quot;\" src=\"data:image/png;base64,AQID\""));
    }

    #[test]
    fn no_warning_is_no_box() {
        assert_eq!(warnings_html(&[]).into_string(), "");
        assert_eq!(warnings_html(&["a".into(), "b".into()]).into_string().matches("<li>").count(), 2);
    }
}
