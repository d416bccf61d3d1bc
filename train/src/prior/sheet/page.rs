//! The sheet as a page that works without a network: pictures, style and script are all in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, PreEscaped, html};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing may be loaded or sent, whatever an image's name holds.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A row of the page.
pub(super) struct PageRow {
    /// Name of the image.
    pub(super) image: String,
    /// Left and upper edge of the block in pixels.
    pub(super) corner: (u32, u32),
    /// The row of `sheet.csv` up to and without the last comma.
    pub(super) csv: String,
    /// The block's picture.
    pub(super) png: Vec<u8>,
    /// Its width and height in pixels.
    pub(super) size: (u32, u32),
}

/// The page. `header` is the first line of `sheet.csv`; `digest` tells this sheet's entries from those of others in the browser's store;
/// `block` says how large the blocks are.
pub(super) fn page(rows: &[PageRow], header: &str, digest: &str, block: &str) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Cancer by eye: " (rows.len()) " blocks" }
                style { (PreEscaped(STYLE)) }
            }
            body data-header=(header) data-sheet=(digest) {
                h1 { "How much of each framed block is cancer?" }
                p {
                    "Estimate the percentage of the area inside the yellow frame (" (block) ") that is cancer, from 0 to 100. What lies outside the frame "
                    "is there for orientation only; plain grey lies beyond the image. Leave a field blank if you cannot tell: the block is then not "
                    "counted. Enter goes to the next block, a click enlarges a picture. Entries stay in this browser; save them when you are done."
                }
                header {
                    output #done { "0 of " (rows.len()) " filled in" }
                    button #save type="button" { "Save sheet.csv" }
                    output #note {}
                }
                main {
                    table {
                        thead { tr { th { "No." } th { "Block" } th { "Cancer" } th { "Image and position" } } }
                        tbody {
                            @for (index, row) in rows.iter().enumerate() {
                                tr {
                                    th scope="row" { (index + 1) }
                                    td {
                                        img width=(row.size.0) height=(row.size.1) alt={ "Block " (index + 1) }
                                            src={ "data:image/png;base64," (STANDARD.encode(&row.png)) };
                                    }
                                    td.entry {
                                        input type="text" inputmode="decimal" autocomplete="off" data-row=(row.csv)
                                            aria-label={ "Cancer in block " (index + 1) ", percent" };
                                        " %"
                                    }
                                    td { (row.image) br; "x " (row.corner.0) ", y " (row.corner.1) " px" }
                                }
                            }
                        }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_nothing_is_loaded_from_elsewhere() {
        let row = PageRow {
            image: "<script>alert(1)</script>".into(),
            corner: (3, 4),
            csv: "\"a\"\"b\",3,4,8,8,2".into(),
            png: vec![1, 2, 3],
            size: (20, 10),
        };
        let page = page(&[row], "image,cancer_percent", "abc", "8 x 8 px");
        assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
        assert!(page.contains("data-row=\"&quot;a&quot;&quot;b&quot;,3,4,8,8,2\""));
        assert!(page.contains("data:image/png;base64,AQID"));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src=\"/"));
    }
}
