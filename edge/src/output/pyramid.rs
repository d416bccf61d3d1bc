//! A picture of one byte a sample as a pyramidal tiled OME-TIFF (BigTIFF, deflate), written row by row: memory holds one row of tiles a level.

use super::file::write_whole_with;
use crate::error::Error;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tiff::TiffError;
use tiff::encoder::{DirectoryEncoder, Rational, TiffEncoder, TiffKindBig};
use tiff::tags::{CompressionMethod, PhotometricInterpretation, ResolutionUnit, Tag};

/// Side of a tile.
const TILE: usize = 512;

/// What the pixels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Samples {
    /// 0 or 255; of a coarser level 255 where at least two of four are.
    Mask,
    /// A level; of a coarser level the mean of four.
    Grey,
    /// Red, green, blue, likewise.
    Rgb,
}

impl Samples {
    /// Samples of a pixel.
    pub(crate) fn count(self) -> usize {
        match self {
            Self::Mask | Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

/// What a pyramid says about itself.
pub(crate) struct About<'a> {
    /// Of the picture.
    pub(crate) name: &'a str,
    /// What its values are.
    pub(crate) channel: &'a str,
    pub(crate) um_per_px: f64,
    /// Keys and values of its origin.
    pub(crate) origin: &'a [(&'a str, String)],
}

/// One resolution while it is written.
struct Level {
    width: usize,
    height: usize,
    samples: Samples,
    /// Rows that wait for a whole row of tiles.
    rows: Vec<u8>,
    /// A row that waits for its neighbour, to become one row of the next level.
    above: Vec<u8>,
    offsets: Vec<u64>,
    lengths: Vec<u64>,
}

type Directory<'a, 'f> = DirectoryEncoder<'a, BufWriter<&'f mut File>, TiffKindBig>;

/// Writes a picture of `size` px, whose rows come in order, in chunks of whole rows. The same rows give the same bytes.
///
/// # Errors
/// [`Error::Write`]; whatever the rows end with.
pub(crate) fn write_pyramid(
    path: &Path,
    size: [u32; 2],
    samples: Samples,
    about: &About<'_>,
    chunks: impl Iterator<Item = Result<Vec<u8>, Error>>,
) -> Result<(), Error> {
    write_whole_with(path, |file| {
        let failed = |error: TiffError| Error::Write { path: path.to_owned(), source: io::Error::other(error) };
        let mut levels = levels(size, samples);
        let mut encoder = TiffEncoder::new_big(BufWriter::new(file)).map_err(failed)?;
        // Tiles are written through the directory of the smallest level, which is then the first to be finished.
        let mut directory = if levels.len() > 1 { encoder.extra_directory() } else { encoder.image_directory() }.map_err(failed)?;
        for chunk in chunks {
            for row in chunk?.chunks_exact(size[0] as usize * samples.count()) {
                push(&mut directory, &mut levels, row).map_err(failed)?;
            }
        }
        let smallest = levels.len() - 1;
        if smallest == 0 {
            tags(&mut directory, &levels[0], Some(about), &[]).map_err(failed)?;
            return directory.finish().map_err(failed);
        }
        tags(&mut directory, &levels[smallest], None, &[]).map_err(failed)?;
        let mut below = vec![directory.finish_with_offsets().map_err(failed)?.pointer.0];
        for level in levels[1..smallest].iter().rev() {
            let mut directory = encoder.extra_directory().map_err(failed)?;
            tags(&mut directory, level, None, &[]).map_err(failed)?;
            below.insert(0, directory.finish_with_offsets().map_err(failed)?.pointer.0);
        }
        let mut directory = encoder.image_directory().map_err(failed)?;
        tags(&mut directory, &levels[0], Some(about), &below).map_err(failed)?;
        directory.finish().map_err(failed)
    })
}

/// Memory that writing a picture of one sample a pixel takes.
pub(crate) fn pyramid_bytes(size: [u32; 2]) -> u64 {
    // A row of tiles of each level, cut into tiles and compressed (which may come to the same again); the levels together are twice the first.
    2 * 3 * u64::from(size[0]).next_multiple_of(TILE as u64) * TILE as u64
}

/// Each half as large as the one before, to the first that is a single tile.
fn levels([width, height]: [u32; 2], samples: Samples) -> Vec<Level> {
    let (mut width, mut height) = (width as usize, height as usize);
    let mut levels = Vec::new();
    loop {
        let (rows, above) = (Vec::new(), Vec::new());
        levels.push(Level { width, height, samples, rows, above, offsets: Vec::new(), lengths: Vec::new() });
        if width.max(height) <= TILE {
            return levels;
        }
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
    }
}

/// Adds a row to the first of these levels, and what follows from it to the others.
fn push(directory: &mut Directory<'_, '_>, levels: &mut [Level], row: &[u8]) -> Result<(), TiffError> {
    let Some((level, smaller)) = levels.split_first_mut() else { return Ok(()) };
    level.rows.extend_from_slice(row);
    let done = level.offsets.len() / level.width.div_ceil(TILE) * TILE;
    let last = done + level.rows.len() / row.len() == level.height;
    if level.rows.len() == row.len() * TILE || last {
        write_tiles(directory, level)?;
    }
    if smaller.is_empty() {
        return Ok(());
    }
    match (level.above.is_empty(), last) {
        (true, false) => level.above.extend_from_slice(row),
        // The last of an odd number of rows stands for two.
        (true, true) => push(directory, smaller, &halved(row, row, level.samples))?,
        (false, _) => {
            let above = std::mem::take(&mut level.above);
            push(directory, smaller, &halved(&above, row, level.samples))?;
        }
    }
    Ok(())
}

/// Two rows as one of half as many pixels; the last of an odd number of columns stands for two.
fn halved(above: &[u8], below: &[u8], samples: Samples) -> Vec<u8> {
    let count = samples.count();
    let mut row = Vec::with_capacity(above.len().div_ceil(2) + count);
    for (above, below) in above.chunks(2 * count).zip(below.chunks(2 * count)) {
        let right = above.len() - count;
        for sample in 0..count {
            let sum: u32 = [above[sample], above[right + sample], below[sample], below[right + sample]].into_iter().map(u32::from).sum();
            row.push(match samples {
                Samples::Grey | Samples::Rgb => ((sum + 2) / 4) as u8,
                Samples::Mask if sum >= 2 * 255 => 255,
                Samples::Mask => 0,
            });
        }
    }
    row
}

/// Cuts the rows that wait into tiles, filled up with 0.
fn write_tiles(directory: &mut Directory<'_, '_>, level: &mut Level) -> Result<(), TiffError> {
    let rows = std::mem::take(&mut level.rows);
    let (samples, width) = (level.samples.count(), level.width);
    let tile = |column: usize| -> io::Result<Vec<u8>> {
        let mut tile = vec![0; TILE * TILE * samples];
        let part = column * TILE * samples..((column + 1) * TILE).min(width) * samples;
        for (target, row) in tile.chunks_exact_mut(TILE * samples).zip(rows.chunks_exact(width * samples)) {
            target[..part.len()].copy_from_slice(&row[part.clone()]);
        }
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
        encoder.write_all(&tile)?;
        encoder.finish()
    };
    let tiles: Vec<Vec<u8>> = (0..level.width.div_ceil(TILE)).into_par_iter().map(tile).collect::<Result<_, _>>()?;
    for tile in tiles {
        level.offsets.push(directory.write_data(&tile[..])?);
        level.lengths.push(tile.len() as u64);
    }
    Ok(())
}

fn tags(directory: &mut Directory<'_, '_>, level: &Level, about: Option<&About<'_>>, below: &[u64]) -> Result<(), TiffError> {
    // A smaller picture of another one.
    directory.write_tag(Tag::NewSubfileType, u32::from(about.is_none()))?;
    directory.write_tag(Tag::ImageWidth, level.width as u32)?;
    directory.write_tag(Tag::ImageLength, level.height as u32)?;
    let samples = level.samples.count();
    directory.write_tag(Tag::BitsPerSample, &vec![8_u16; samples][..])?;
    directory.write_tag(Tag::Compression, CompressionMethod::Deflate.to_u16())?;
    let interpretation = if samples == 3 { PhotometricInterpretation::RGB } else { PhotometricInterpretation::BlackIsZero };
    directory.write_tag(Tag::PhotometricInterpretation, interpretation.to_u16())?;
    directory.write_tag(Tag::SamplesPerPixel, samples as u16)?;
    directory.write_tag(Tag::TileWidth, TILE as u32)?;
    directory.write_tag(Tag::TileLength, TILE as u32)?;
    directory.write_tag(Tag::TileOffsets, &level.offsets[..])?;
    directory.write_tag(Tag::TileByteCounts, &level.lengths[..])?;
    if let Some(about) = about {
        let per_cm = || Rational { n: (1e7 / about.um_per_px).round() as u32, d: 1000 };
        directory.write_tag(Tag::XResolution, per_cm())?;
        directory.write_tag(Tag::YResolution, per_cm())?;
        directory.write_tag(Tag::ResolutionUnit, ResolutionUnit::Centimeter.to_u16())?;
        directory.write_tag(Tag::Software, format!("lsr-edge {}", crate::VERSION).as_str())?;
        directory.write_tag(Tag::ImageDescription, about.ome([level.width, level.height], samples).as_str())?;
    }
    if !below.is_empty() {
        directory.write_tag(Tag::SubIfd, below)?;
    }
    Ok(())
}

impl About<'_> {
    /// OME-XML (schema of June 2016) in ASCII, which is all that a TIFF's texts may hold.
    fn ome(&self, [width, height]: [usize; 2], samples: usize) -> String {
        let (name, channel, um) = (escaped(self.name), escaped(self.channel), self.um_per_px);
        let pairs = self.origin.iter().map(|(key, value)| format!("<M K=\"{key}\">{}</M>", escaped(value))).collect::<String>();
        let version = crate::VERSION;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
<OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
xsi:schemaLocation=\"http://www.openmicroscopy.org/Schemas/OME/2016-06 http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd\" \
Creator=\"lsr-edge {version}\"><Image ID=\"Image:0\" Name=\"{name}\"><Pixels ID=\"Pixels:0\" DimensionOrder=\"XYCZT\" Type=\"uint8\" \
SizeX=\"{width}\" SizeY=\"{height}\" SizeC=\"{samples}\" SizeZ=\"1\" SizeT=\"1\" PhysicalSizeX=\"{um}\" PhysicalSizeXUnit=\"&#181;m\" PhysicalSizeY=\"{um}\" \
PhysicalSizeYUnit=\"&#181;m\"><Channel ID=\"Channel:0:0\" Name=\"{channel}\" SamplesPerPixel=\"{samples}\"/><TiffData IFD=\"0\" PlaneCount=\"1\"/></Pixels>\
<AnnotationRef ID=\"Annotation:0\"/></Image><StructuredAnnotations><MapAnnotation ID=\"Annotation:0\" Namespace=\"lsr-edge\">\
<Value>{pairs}</Value></MapAnnotation></StructuredAnnotations></OME>"
        )
    }
}

/// For a text or a quoted value of XML, in ASCII.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '&' | '<' | '>' | '"' | '\'' | '\u{7f}'.. => format!("&#{};", u32::from(letter)),
            // XML 1.0 has no other control characters.
            '\0'..'\t' | '\u{b}' | '\u{c}' | '\u{e}'..' ' => " ".to_owned(),
            _ => letter.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_become_one() {
        assert_eq!(halved(&[255, 0, 255], &[255, 0, 0], Samples::Mask), [255, 255]);
        assert_eq!(halved(&[255, 0, 0], &[0, 0, 0], Samples::Mask), [0, 0]);
        assert_eq!(halved(&[1, 2, 10], &[3, 4, 20], Samples::Grey), [3, 15]);
        let pixels = |levels: [u8; 3]| levels.map(|level| [level, 100 + level, 200 + level]).concat();
        assert_eq!(halved(&pixels([1, 2, 10]), &pixels([3, 4, 20]), Samples::Rgb), [3, 103, 203, 15, 115, 215]);
    }

    #[test]
    fn levels_end_at_a_single_tile() {
        let sizes = |size| levels(size, Samples::Grey).iter().map(|level| [level.width, level.height]).collect::<Vec<_>>();
        assert_eq!(sizes([2049, 10]), [[2049, 10], [1025, 5], [513, 3], [257, 2]]);
        assert_eq!(sizes([512, 512]), [[512, 512]]);
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(escaped("a<b> & \"\u{b5}m\"\u{1}"), "a&#60;b&#62; &#38; &#34;&#181;m&#34; ");
    }
}
