//! Writes a sheet for an expert.

use super::contact::{PICTURE_PX, contact_sheet};
use super::page::{PageRow, page};
use super::thumbnail::thumbnail;
use super::{HEADER, SheetRow};
use crate::data::{Block, Dataset, check_inside, hex};
use crate::error::{Error, Result};
use image::{ImageFormat, RgbImage};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

/// Most blocks that a sheet may have: 64 labels at 15 blocks each fit, and nobody estimates more by eye.
pub const MAX_SHEET_BLOCKS: usize = 1000;

/// Longest side of a picture in the page: blocks up to 256 px with a quarter of context stay as they are.
const PAGE_PICTURE_PX: u32 = 384;

/// Largest context in pixels.
const MAX_CONTEXT_PX: u32 = 2048;

/// Writes `sheet.csv`, `sheet.html` and `sheet.png` for some blocks into a new folder, in an order that the seed decides.
///
/// `context` is how many pixels around a block are shown; none for a quarter of the block's longer side.
///
/// # Errors
/// A folder that is already there (it may hold what somebody filled in), no block or more than [`MAX_SHEET_BLOCKS`], too much context, a block
/// outside its image, an image that cannot be read.
pub fn write_sheet(folder: &Path, data: &Dataset, blocks: &[Block], context: Option<u32>, seed: u64) -> Result<()> {
    if folder.exists() {
        let found = format!("{}, which exists and may hold a filled-in sheet", folder.display());
        return Err(Error::setting("--output", "a new folder", found));
    }
    if blocks.is_empty() || blocks.len() > MAX_SHEET_BLOCKS {
        return Err(Error::setting("--annotated", format!("1 to {MAX_SHEET_BLOCKS} blocks in all"), blocks.len()));
    }
    if let Some(context) = context.filter(|&context| context > MAX_CONTEXT_PX) {
        return Err(Error::setting("--context", format!("at most {MAX_CONTEXT_PX} px"), context));
    }
    let mut blocks = blocks.to_vec();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // Another stream than the one that chose the blocks.
    random.set_stream(1);
    blocks.shuffle(&mut random);

    let rows: Vec<String> = blocks.iter().map(csv_row).collect::<Result<_>>()?;
    let csv = format!("{HEADER}\n{}", rows.concat());
    let (mut page_rows, mut small) = (Vec::new(), Vec::new());
    for (row, (block, picture)) in rows.iter().zip(blocks.iter().zip(pictures(data, &blocks, context)?)) {
        let mut png = Cursor::new(Vec::new());
        picture.page.write_to(&mut png, ImageFormat::Png).map_err(|error| Error::file(folder, error.to_string()))?;
        page_rows.push(PageRow {
            image: block.image.clone(),
            corner: (block.x, block.y),
            csv: row.trim_end_matches([',', '\n']).to_owned(),
            png: png.into_inner(),
            size: picture.page.dimensions(),
        });
        small.push(picture.contact);
    }
    let html = page(&page_rows, HEADER, &hex(&Sha256::digest(csv.as_bytes())), &block_size(&blocks, data.um_per_px()?));
    let heading = ["Estimate the percentage of each framed block that is cancer (0 to 100).", "Number k is row k of sheet.csv."];
    let mut png = Cursor::new(Vec::new());
    contact_sheet(&small, heading).write_to(&mut png, ImageFormat::Png).map_err(|error| Error::file(folder, error.to_string()))?;
    crate::atomic::write_folder(folder, |inside| {
        crate::atomic::write(&inside.join("sheet.csv"), csv.as_bytes())?;
        crate::atomic::write(&inside.join("sheet.html"), html.as_bytes())?;
        crate::atomic::write(&inside.join("sheet.png"), png.get_ref())
    })
}

struct Picture {
    page: RgbImage,
    contact: RgbImage,
}

/// The pictures of all blocks in their order; each image is read once.
fn pictures(data: &Dataset, blocks: &[Block], context: Option<u32>) -> Result<Vec<Picture>> {
    let mut by_image: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, block) in blocks.iter().enumerate() {
        by_image.entry(&block.image).or_default().push(index);
    }
    let mut pictures: BTreeMap<usize, Picture> = BTreeMap::new();
    for (name, indices) in by_image {
        let image = data.image(name)?;
        for index in indices {
            let block = &blocks[index];
            check_inside(block, image.dimensions())?;
            let context = context.unwrap_or(block.width.max(block.height) / 4);
            let page = thumbnail(&image, block, context, PAGE_PICTURE_PX, false);
            // Room for a frame that got no context.
            let contact = thumbnail(&image, block, context, PICTURE_PX - 8, true);
            pictures.insert(index, Picture { page, contact });
        }
    }
    Ok(pictures.into_values().collect())
}

/// A block's row of `sheet.csv` with its line end: the last cell is blank.
fn csv_row(block: &Block) -> Result<String> {
    let unwritable = |error: String| Error::setting("block", "a block that a CSV file can hold", error);
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    writer.serialize(SheetRow::blank(block)).map_err(|error| unwritable(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| unwritable(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| unwritable(error.to_string()))
}

/// How large the blocks are, in words.
fn block_size(blocks: &[Block], um_per_px: Option<f64>) -> String {
    let mut sizes: Vec<(u32, u32)> = blocks.iter().map(|block| (block.width, block.height)).collect();
    sizes.sort_unstable();
    sizes.dedup();
    match sizes.as_slice() {
        &[(width, height)] => match um_per_px {
            Some(scale) => {
                format!("{width} x {height} px, {:.0} x {:.0} \u{b5}m", f64::from(width) * scale, f64::from(height) * scale)
            }
            None => format!("{width} x {height} px"),
        },
        _ => "of various sizes".to_owned(),
    }
}
